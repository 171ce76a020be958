#include "messages.h"

#include <array>
#include <cstdlib>

#include "base/check.h"

namespace andromede::app {
namespace {

struct Translation {
  Msg message;
  const char* english;
  const char* french;
};

constexpr Translation kTranslations[] = {
    {Msg::kAbout, "Andromède: a sovereign object store over the sites of several operators.",
     "Andromède : un stockage objet souverain, réparti sur les sites de plusieurs opérateurs."},
    {Msg::kFooter,
     "Exit status: 0 done, 1 failed, 2 wrong command line or configuration, 3 refused by policy (nothing\n"
     "changed), 4 the server does not answer, 5 degraded (status --check).\n\n"
     "Start here:\n"
     "  andromede init --folder cloud --consortium examples/consortium-2011.toml\n"
     "  andromede serve --config cloud/andromede.toml\n"
     "  andromede status --config cloud/andromede.toml\n",
     "Code de sortie : 0 fait, 1 échec, 2 ligne de commande ou configuration fausse, 3 refusé par la\n"
     "politique (rien n'a changé), 4 le serveur ne répond pas, 5 dégradé (status --check).\n\n"
     "Pour commencer :\n"
     "  andromede init --folder nuage --consortium examples/consortium-2011.toml\n"
     "  andromede serve --config nuage/andromede.toml\n"
     "  andromede status --config nuage/andromede.toml\n"},
    {Msg::kCmdInit, "make a cloud from a consortium file", "crée un nuage à partir d'un fichier de consortium"},
    {Msg::kCmdInitLong,
     "Makes the drives' folders, the keys, the tenants with their credentials (credentials.json, mode 0600),\n"
     "the operator's token and andromede.toml.\n\n"
     "Example:\n  andromede init --folder cloud --consortium examples/consortium-2011.toml --local-ca\n",
     "Crée les dossiers des disques, les clés, les locataires et leurs identifiants (credentials.json, mode\n"
     "0600), le jeton de l'opérateur et andromede.toml.\n\n"
     "Exemple :\n  andromede init --folder nuage --consortium examples/consortium-2011.toml --local-ca\n"},
    {Msg::kCmdServe, "serve the cloud until SIGTERM", "sert le nuage jusqu'à SIGTERM"},
    {Msg::kCmdServeLong,
     "SIGTERM and SIGINT stop gracefully; SIGHUP reads the TLS certificate again. Logs are JSON lines on\n"
     "standard error. Tells systemd when it is ready (Type=notify, WatchdogSec).\n\n"
     "Example:\n  andromede serve --config /srv/andromede/andromede.toml\n",
     "SIGTERM et SIGINT arrêtent proprement ; SIGHUP relit le certificat TLS. Les journaux techniques sont\n"
     "des lignes JSON sur la sortie d'erreur. Prévient systemd quand il est prêt (Type=notify, WatchdogSec).\n\n"
     "Exemple :\n  andromede serve --config /srv/andromede/andromede.toml\n"},
    {Msg::kCmdWelcome, "say where the cloud answers, and what to try first",
     "indique où répond le nuage et quoi essayer d'abord"},
    {Msg::kCmdStatus, "drives, tolerated losses, jobs", "disques, pertes tolérées, tâches"},
    {Msg::kCmdStatusLong, "Example, for monitoring:\n  andromede status --check || echo \"look at it\"\n",
     "Exemple, pour la supervision :\n  andromede status --check || echo \"à regarder\"\n"},
    {Msg::kCmdDrive, "list, add, replace and heal drives", "liste, ajoute, remplace et répare les disques"},
    {Msg::kCmdDriveList, "list the drives", "liste les disques"},
    {Msg::kCmdDriveAdd, "join a new, empty drive, of a new site too",
     "ajoute un disque neuf et vide, d'un nouveau site aussi"},
    {Msg::kCmdDriveAddLong,
     "The folder must exist and be empty. Data move to the new drive until all are evenly filled.\n\n"
     "Example:\n  andromede drive add thales-3 --site thales --associate thales --path /mnt/thales-3\n",
     "Le dossier doit exister et être vide. Des données y sont déplacées jusqu'à un remplissage égal.\n\n"
     "Exemple :\n  andromede drive add thales-3 --site thales --associate thales --path /mnt/thales-3\n"},
    {Msg::kCmdDriveReplace, "a new, empty drive takes the place of a lost one",
     "un disque neuf et vide prend la place d'un disque perdu"},
    {Msg::kCmdDriveReplaceLong,
     "The lost drive must be offline; what it held is rebuilt from the others.\n\n"
     "Example:\n  andromede drive replace orange-1 /mnt/orange-1-new\n",
     "Le disque perdu doit être hors ligne ; ce qu'il portait est reconstruit depuis les autres.\n\n"
     "Exemple :\n  andromede drive replace orange-1 /mnt/orange-1-neuf\n"},
    {Msg::kCmdDriveHeal, "rebuild what is missing or misplaced", "reconstruit ce qui manque ou est mal placé"},
    {Msg::kCmdDriveHealLong, "Heal also runs by itself when drives come back, join or are replaced.\n",
     "La réparation démarre aussi d'elle-même quand un disque revient, arrive ou est remplacé.\n"},
    {Msg::kCmdScrub, "read and check everything, repair, reclaim", "lit et vérifie tout, répare, récupère"},
    {Msg::kCmdScrubLong,
     "Reads every shard, rewrites the damaged ones from the others, gives back the space of broken uploads.\n\n"
     "Example:\n  andromede scrub --json\n",
     "Lit chaque fragment, réécrit ceux qui sont abîmés, rend l'espace des envois interrompus.\n\n"
     "Exemple :\n  andromede scrub --json\n"},
    {Msg::kCmdDrain, "withdraw a site or a drive", "retire un site ou un disque"},
    {Msg::kCmdDrainLong,
     "Checked first: where the drives that remain cannot hold the spread, the tolerated losses or the bytes,\n"
     "it is refused (status 3) before anything moves. Goes on while clients read and write, resumes after\n"
     "a restart, and ends with the proof that nothing is left there.\n\n"
     "Examples:\n"
     "  andromede drain dassault\n"
     "  andromede drain dassault --accept-site-losses 1 --no-wait\n"
     "  andromede drain --drive orange-2\n"
     "  andromede drain --abort\n",
     "Vérifié d'abord : si les disques restants ne peuvent tenir la répartition, les pertes tolérées ou les\n"
     "octets, c'est refusé (code 3) avant tout mouvement. Se poursuit pendant que les clients lisent et\n"
     "écrivent, reprend après un redémarrage et finit par la preuve que rien n'y reste.\n\n"
     "Exemples :\n"
     "  andromede drain dassault\n"
     "  andromede drain dassault --accept-site-losses 1 --no-wait\n"
     "  andromede drain --drive orange-2\n"
     "  andromede drain --abort\n"},
    {Msg::kCmdJournal, "read and verify the journal", "lit et vérifie le journal"},
    {Msg::kCmdJournalTail, "show the latest entries", "montre les dernières entrées"},
    {Msg::kCmdJournalVerify, "check every link from the first entry", "vérifie chaque lien depuis la première entrée"},
    {Msg::kCmdVersion, "show the version", "montre la version"},
    {Msg::kCmdCompletion, "print the completion for a shell: source <(andromede completion bash)",
     "écrit la complétion pour un shell : source <(andromede completion bash)"},
    {Msg::kOptConfig, "the cloud's file (default: $ANDROMEDE_CONFIG, ./andromede.toml, /etc/andromede/andromede.toml)",
     "le fichier du nuage (défaut : $ANDROMEDE_CONFIG, ./andromede.toml, /etc/andromede/andromede.toml)"},
    {Msg::kOptJson, "answer as JSON, for scripts", "répond en JSON, pour les scripts"},
    {Msg::kOptFolder, "the cloud's new folder", "le nouveau dossier du nuage"},
    {Msg::kOptConsortium, "associates, sites, drives, tenants and policy, as TOML",
     "associés, sites, disques, locataires et politique, en TOML"},
    {Msg::kOptS3Listen, "address:port of the tenants' listener", "adresse:port pour les locataires"},
    {Msg::kOptOperatorListen, "address:port of the operator's listener, loopback",
     "adresse:port pour l'opérateur, en boucle locale"},
    {Msg::kOptLocalCa, "make a local authority and serve TLS", "crée une autorité locale et sert en TLS"},
    {Msg::kOptCheck, "exit with 5 when the cloud is degraded", "sort avec 5 si le nuage est dégradé"},
    {Msg::kOptDriveName, "the drive's name", "le nom du disque"},
    {Msg::kOptSite, "the site where it stands", "le site où il se trouve"},
    {Msg::kOptAssociate, "the associate whose site it is", "l'associé à qui est le site"},
    {Msg::kOptPath, "the drive's folder on the server", "le dossier du disque sur le serveur"},
    {Msg::kOptCapacity, "bytes to use at most (default: the whole file system)",
     "octets à utiliser au plus (défaut : tout le système de fichiers)"},
    {Msg::kOptNoWait, "start it and return", "démarre et rend la main"},
    {Msg::kOptAccept, "accept to tolerate only so many lost sites from now on",
     "accepte de ne tolérer que tant de sites perdus désormais"},
    {Msg::kOptHelp, "print this help and exit", "affiche cette aide et s'arrête"},
    {Msg::kLabelUsage, "Usage", "Utilisation"},
    {Msg::kLabelOptions, "Options", "Options"},
    {Msg::kLabelOption, "OPTIONS", "OPTIONS"},
    {Msg::kLabelArguments, "Arguments", "Arguments"},
    {Msg::kLabelCommands, "Commands", "Commandes"},
    {Msg::kLabelCommand, "COMMAND", "COMMANDE"},
    {Msg::kLabelRequired, "required", "obligatoire"},
    {Msg::kUnexpected, "unexpected: {0}", "argument inattendu : {0}"},
    {Msg::kMissing, "required: {0}", "obligatoire : {0}"},
    {Msg::kBadCommandLine, "{0}", "ligne de commande incorrecte : {0}"},
    {Msg::kSeeHelp, "Run with --help for more.", "Voir --help."},
    {Msg::kMoreThanNothing, "nothing would ever move", "rien ne bougerait jamais"},
    {Msg::kOptAcceptUnerased, "let an offline drive leave though what it holds cannot be erased; the journal says so",
     "laisse partir un disque absent bien que son contenu ne puisse être effacé ; le journal le dit"},
    {Msg::kOptBandwidth, "bytes a second of this drain, as 50MiB, instead of the configured limit",
     "octets par seconde de ce retrait, par exemple 50MiB, au lieu de la limite configurée"},
    {Msg::kOptAbort, "abort the drain that runs", "abandonne le retrait en cours"},
    {Msg::kOptDrainSite, "the site that leaves", "le site qui part"},
    {Msg::kOptDrainDrive, "the drive that leaves", "le disque qui part"},
    {Msg::kOptTailCount, "how many entries", "combien d'entrées"},
    {Msg::kOptTailFollow, "go on with entries as they come", "continue avec les entrées à venir"},
    {Msg::kOptTailVerify, "verify the whole journal first", "vérifie d'abord tout le journal"},
    {Msg::kOptShell, "bash or zsh", "bash ou zsh"},
    {Msg::kError, "andromede: {0}", "andromede : {0}"},
    {Msg::kUnreachable, "the server at {0} does not answer: start it with `andromede serve --config {1}`",
     "le serveur {0} ne répond pas : démarrez-le avec « andromede serve --config {1} »"},
    {Msg::kInitDone, "Made a cloud of {0} drives and {1} tenants.", "Nuage créé : {0} disques, {1} locataires."},
    {Msg::kInitCa, "Certificate authority for clients: {0}", "Autorité de certification pour les clients : {0}"},
    {Msg::kInitNext, "Start it: andromede serve --config {0}", "Démarrez-le : andromede serve --config {0}"},
    {Msg::kWelcomeEndpoint, "Endpoint:    {0}", "Adresse :      {0}"},
    {Msg::kWelcomeCredentials, "Credentials: {0}", "Identifiants : {0}"},
    {Msg::kWelcomeTry, "Try, in another terminal:", "À essayer, dans un autre terminal :"},
    {Msg::kHealthy, "healthy", "en bon état"},
    {Msg::kDegraded, "DEGRADED", "DÉGRADÉ"},
    {Msg::kTolerates, "lost sites survived: {0}, lost drives: {1}", "sites perdus supportés : {0}, disques : {1}"},
    {Msg::kToleratesNow, "by what is written now, lost sites survived: {0}, lost drives: {1}",
     "pour ce qui s'écrit maintenant, sites perdus supportés : {0}, disques : {1}"},
    {Msg::kDemanded, "demanded: {0} and {1}", "exigé : {0} et {1}"},
    {Msg::kColDrive, "DRIVE", "DISQUE"},
    {Msg::kColSite, "SITE", "SITE"},
    {Msg::kColState, "STATE", "ÉTAT"},
    {Msg::kColOnline, "ONLINE", "EN LIGNE"},
    {Msg::kColShards, "SHARDS", "FRAGMENTS"},
    {Msg::kColUsed, "USED", "UTILISÉ"},
    {Msg::kColFree, "FREE", "LIBRE"},
    {Msg::kColMetadata, "METADATA", "MÉTADONNÉES"},
    {Msg::kYes, "yes", "oui"},
    {Msg::kNo, "no", "non"},
    {Msg::kJobLine, "job {0}: {1} {2}: {3} {4}", "tâche {0} : {1} {2} : {3} {4}"},
    {Msg::kDriveAdded, "{0} takes data now; `andromede status` shows how it fills.",
     "{0} reçoit des données ; « andromede status » montre son remplissage."},
    {Msg::kDriveReplaced, "{0} has a new drive; what was lost is being rebuilt (`andromede status`).",
     "{0} a un disque neuf ; ce qui manquait est en reconstruction (« andromede status »)."},
    {Msg::kStarted, "job {0} ({1}) has started; `andromede status` shows how far it is.",
     "la tâche {0} ({1}) a démarré ; « andromede status » montre son avancement."},
    {Msg::kJobDone, "{0} done: {1}", "{0} terminé : {1}"},
    {Msg::kJobFailed, "{0} failed: {1}", "{0} a échoué : {1}"},
    {Msg::kJobAborted, "{0} ended early: {1}", "{0} interrompu : {1}"},
    {Msg::kDrainAborted, "The drain is aborted; its drives take data again.",
     "Le retrait est abandonné ; ses disques reçoivent de nouveau des données."},
    {Msg::kNeedSiteOrDrive, "name a site, or a drive with --drive, or --abort",
     "nommez un site, ou un disque avec --drive, ou --abort"},
    {Msg::kAbortNamesNothing,
     "--abort takes no site, drive or limit: it aborts the drain that runs (`andromede status` names it)",
     "--abort ne prend ni site, ni disque, ni limite : il abandonne le retrait en cours (« andromede status » le "
     "nomme)"},
    {Msg::kJournalOk, "{0} entries, no gap, every link holds; head {1}",
     "{0} entrées, sans trou, chaque lien tient ; tête {1}"},
    {Msg::kJournalBroken, "the journal is broken: {0}", "le journal est rompu : {0}"},
    {Msg::kProgress, "{0} [{1}] {2} %  {3} of {4}", "{0} [{1}] {2} %  {3} sur {4}"},
    {Msg::kEta, "  {0} left", "  reste {0}"},
    {Msg::kReconnecting, "the server went away; waiting for it", "le serveur est parti ; attente de son retour"},
};

constexpr bool complete() {
  if (std::size(kTranslations) != static_cast<std::size_t>(Msg::kCount)) return false;
  for (std::size_t i = 0; i < std::size(kTranslations); ++i) {
    if (kTranslations[i].message != static_cast<Msg>(i)) return false;
  }
  return true;
}
static_assert(complete(), "every message has its line, in the order of the enum");

}  // namespace

bool french_environment() {
  for (const char* variable : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value != nullptr && *value != '\0') return std::string_view(value).starts_with("fr");
  }
  return false;
}

std::string text_in(bool french, Msg message, std::initializer_list<std::string_view> arguments) {
  const Translation& translation = kTranslations[static_cast<std::size_t>(message)];
  const std::string_view pattern = french ? translation.french : translation.english;
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '{' && i + 2 < pattern.size() && pattern[i + 2] == '}') {
      const auto index = static_cast<std::size_t>(pattern[i + 1] - '0');
      if (index < arguments.size()) {
        out += *(arguments.begin() + index);
        i += 2;
        continue;
      }
    }
    out += pattern[i];
  }
  return out;
}

std::string text(Msg message, std::initializer_list<std::string_view> arguments) {
  static const bool french = french_environment();
  return text_in(french, message, arguments);
}

}  // namespace andromede::app
