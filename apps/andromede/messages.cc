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
     "the operator's token and andromede.toml.\n",
     "Crée les dossiers des disques, les clés, les locataires et leurs identifiants (credentials.json, mode\n"
     "0600), le jeton de l'opérateur et andromede.toml.\n"},
    {Msg::kCmdServe, "serve the cloud until SIGTERM", "sert le nuage jusqu'à SIGTERM"},
    {Msg::kCmdServeLong,
     "SIGTERM and SIGINT stop gracefully; SIGHUP reads the TLS certificate again, and the log names what else of the\n"
     "configuration has changed and waits for a restart. Logs are JSON lines on\n"
     "standard error. Tells systemd when it is ready (Type=notify, WatchdogSec).\n",
     "SIGTERM et SIGINT arrêtent proprement ; SIGHUP relit le certificat TLS, et le journal technique nomme ce qui a\n"
     "changé d'autre dans la configuration et attend un redémarrage. Les journaux techniques sont\n"
     "des lignes JSON sur la sortie d'erreur. Prévient systemd quand il est prêt (Type=notify, WatchdogSec).\n"},
    {Msg::kCmdWelcome, "say where the cloud answers, and what to try first",
     "indique où répond le nuage et quoi essayer d'abord"},
    {Msg::kCmdStatus, "drives, tolerated losses, jobs", "disques, pertes tolérées, tâches"},
    {Msg::kCmdDrive, "list, add, replace and heal drives", "liste, ajoute, remplace et répare les disques"},
    {Msg::kCmdDriveList, "list the drives", "liste les disques"},
    {Msg::kCmdDriveAdd, "join a new, empty drive, of a new site too",
     "ajoute un disque neuf et vide, d'un nouveau site aussi"},
    {Msg::kCmdDriveAddLong,
     "The folder must exist and be empty. Data move to the new drive until all are evenly filled.\n",
     "Le dossier doit exister et être vide. Des données y sont déplacées jusqu'à un remplissage égal.\n"},
    {Msg::kCmdDriveReplace, "a new, empty drive takes the place of a lost one",
     "un disque neuf et vide prend la place d'un disque perdu"},
    {Msg::kCmdDriveReplaceLong, "The lost drive must be offline; what it held is rebuilt from the others.\n",
     "Le disque perdu doit être hors ligne ; ce qu'il portait est reconstruit depuis les autres.\n"},
    {Msg::kCmdDriveReclaim, "let a reclaim go on that stopped at too many orphans",
     "laisse reprendre une récupération arrêtée par trop d'orphelins"},
    {Msg::kCmdDriveReclaimLong,
     "Space of records that no metadata name is given back by itself; at an implausible share of them it stops, and\n"
     "`andromede status` says so. Look first whether drives that know them are away: what is erased is gone.\n",
     "L'espace des enregistrements qu'aucune métadonnée ne nomme est rendu de lui-même ; s'ils sont trop nombreux "
     "pour\n"
     "être plausibles, cela s'arrête et « andromede status » le dit. Vérifiez d'abord qu'aucun disque qui les connaît\n"
     "n'est absent : ce qui est effacé est perdu.\n"},
    {Msg::kCmdDriveHeal, "rebuild what is missing or misplaced", "reconstruit ce qui manque ou est mal placé"},
    {Msg::kCmdDriveHealLong, "Heal also runs by itself when drives come back, join or are replaced.\n",
     "La réparation démarre aussi d'elle-même quand un disque revient, arrive ou est remplacé.\n"},
    {Msg::kCmdDriveProceed, "decide to start without drives that may have gone on alone",
     "décide de démarrer sans des disques qui ont pu continuer seuls"},
    {Msg::kCmdDriveProceedLong,
     "For a cloud whose start is refused (`andromede serve` says why, and which drives). The server must not run.\n"
     "What the drives left behind hold that the others do not is given up. They stay out, unchanged, until replaced\n"
     "(drive replace), unless they turn out to hold nothing of their own. The journal says who decided, and when.\n",
     "Pour un nuage dont le démarrage est refusé (« andromede serve » dit pourquoi, et quels disques). Le serveur\n"
     "doit être arrêté. Ce que les disques laissés portent et que les autres n'ont pas est abandonné. Ils restent\n"
     "à l'écart, intacts, jusqu'à leur remplacement (drive replace), sauf s'ils n'ont rien en propre. Le journal dit\n"
     "qui a décidé, et quand.\n"},
    {Msg::kCmdScrub, "read and check everything, repair, reclaim", "lit et vérifie tout, répare, récupère"},
    {Msg::kCmdScrubLong,
     "Reads every shard, rewrites the damaged ones from the others, gives back the space of broken uploads.\n",
     "Lit chaque fragment, réécrit ceux qui sont abîmés, rend l'espace des envois interrompus.\n"},
    {Msg::kCmdDrain, "withdraw a site or a drive", "retire un site ou un disque"},
    {Msg::kCmdDrainLong,
     "Checked first: where the drives that remain cannot hold the spread, the tolerated losses or the bytes,\n"
     "it is refused (status 3) before anything moves; so it is for a drive that is offline, which cannot be erased,\n"
     "without --accept-unerased. Goes on while clients read and write, resumes after a restart, and ends with the\n"
     "proof that nothing is left there. Ctrl-C ends the waiting, not the drain: that is --abort.\n",
     "Vérifié d'abord : si les disques restants ne peuvent tenir la répartition, les pertes tolérées ou les\n"
     "octets, c'est refusé (code 3) avant tout mouvement ; de même pour un disque absent, qui ne peut être effacé,\n"
     "sans --accept-unerased. Se poursuit pendant que les clients lisent et écrivent, reprend après un redémarrage\n"
     "et finit par la preuve que rien n'y reste. Ctrl-C met fin à l'attente, pas au retrait : c'est --abort.\n"},
    {Msg::kCmdJournal, "read and verify the journal", "lit et vérifie le journal"},
    {Msg::kCmdJournalTail, "show the latest entries", "montre les dernières entrées"},
    {Msg::kCmdJournalVerify, "check every link from the first entry", "vérifie chaque lien depuis la première entrée"},
    {Msg::kCmdVersion, "show the version", "montre la version"},
    {Msg::kCmdHelp, "explain a command", "explique une commande"},
    {Msg::kOptHelpCommand, "the command to explain", "la commande à expliquer"},
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
    {Msg::kOptWithout, "every drive to leave behind, by name", "chaque disque à laisser, par son nom"},
    {Msg::kOptSite, "the site where it stands", "le site où il se trouve"},
    {Msg::kOptAssociate, "the associate whose site it is", "l'associé à qui est le site"},
    {Msg::kOptPath, "the drive's folder on the server", "le dossier du disque sur le serveur"},
    {Msg::kOptCapacity, "bytes to use at most, as 4TiB; {0} (default: the whole file system)",
     "octets à utiliser au plus, par exemple 4Tio ; {0} (défaut : tout le système de fichiers)"},
    {Msg::kSizeUnits, "units: kB, MB, GB, TB, KiB, MiB, GiB, TiB", "unités : ko, Mo, Go, To, Kio, Mio, Gio, Tio"},
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
    {Msg::kUnexpected, "`{0}` does not take {1}", "« {0} » ne prend pas {1}"},
    {Msg::kMissing, "`{0}` lacks {1}", "« {0} » : il manque {1}"},
    {Msg::kNeedsCommand, "`{0}` needs a command", "« {0} » attend une commande"},
    {Msg::kNoSuchCommand, "`{0}` has no command {1}.", "« {0} » n'a pas de commande {1}."},
    {Msg::kNoSuchOption, "`{0}` has no option {1}.", "« {0} » n'a pas d'option {1}."},
    {Msg::kDidYouMean, "Did you mean {0}?", "Vouliez-vous dire {0} ?"},
    {Msg::kNeedsValue, "`{0}`: {1} needs a value: {2}", "« {0} » : {1} attend une valeur : {2}"},
    {Msg::kBadValue, "`{0}`: {1} cannot be {2}: {3}", "« {0} » : {1} ne peut être {2} : {3}"},
    {Msg::kBadCommandLine, "`{0}`: {1}", "« {0} » : {1}"},
    {Msg::kCommandsAre, "Commands: {0}", "Commandes : {0}"},
    {Msg::kForExample, "Example: {0}", "Exemple : {0}"},
    {Msg::kExamples, "Examples:", "Exemples :"},
    {Msg::kSeeHelp, "More: {0} --help", "Aide : {0} --help"},
    {Msg::kOptAcceptUnerased,
     "let the drives that are offline now leave though what they hold cannot be erased; the journal names them",
     "laisse partir les disques absents à cet instant bien que leur contenu ne puisse être effacé ; le journal les "
     "nomme"},
    {Msg::kOptBandwidth,
     "bytes a second of this drain, 64KiB or more, as 50MiB, instead of the configured limit, over restarts too; {0}",
     "octets par seconde de ce retrait, 64Kio au moins, par exemple 50Mio, au lieu de la limite configurée, même après "
     "un redémarrage ; {0}"},
    {Msg::kOptAbort, "abort the drain that runs", "abandonne le retrait en cours"},
    {Msg::kOptDrainSite, "the site that leaves", "le site qui part"},
    {Msg::kOptDrainDrive, "the drive that leaves", "le disque qui part"},
    {Msg::kOptTailCount, "how many entries (default: 20)", "combien d'entrées (défaut : 20)"},
    {Msg::kOptTailFollow, "go on with entries as they come", "continue avec les entrées à venir"},
    {Msg::kOptTailVerify, "verify the whole journal first", "vérifie d'abord tout le journal"},
    {Msg::kOptShell, "bash or zsh", "bash ou zsh"},
    {Msg::kError, "andromede: {0}", "andromede : {0}"},
    {Msg::kUnreachable, "the server at {0} does not answer: start it with `andromede serve --config {1}`",
     "le serveur {0} ne répond pas : démarrez-le avec « andromede serve --config {1} »"},
    {Msg::kServedAlready, "this cloud is being served, or a command has its drives: stop that first ({0})",
     "ce nuage est déjà servi, ou une commande tient ses disques : arrêtez-la d'abord ({0})"},
    {Msg::kDrivesKept,
     "a server that has ended still has drives: {0}. Until that drive's call returns the kernel keeps all that the "
     "process had: all of its drives, also those that answer, and its addresses. Nothing of the cloud is lost, and no "
     "file is to be put back. Find the drive that hangs: the last lines of that server's log name one that does not "
     "answer, `ps -eLo pid,stat,wchan:30 | grep ' D'` shows threads that hang, and dmesg the device. Make it answer or "
     "fail (thaw the file system, bring the device back or remove it, unmount a network drive with umount -f), or "
     "restart the machine; then start again.",
     "un serveur qui a pris fin tient encore des disques : {0}. Tant que l'appel de ce disque ne revient pas, le noyau "
     "garde tout ce que le processus avait : tous ses disques, même ceux qui répondent, et ses adresses. Rien du nuage "
     "n'est perdu et aucun fichier n'est à remettre. Trouvez le disque qui ne répond plus : les dernières lignes du "
     "journal de ce serveur en nomment un, « ps -eLo pid,stat,wchan:30 | grep ' D' » montre les fils en attente et "
     "dmesg le périphérique. Faites-le répondre ou échouer (dégelez le système de fichiers, rebranchez ou retirez le "
     "périphérique, démontez un disque réseau par umount -f), ou redémarrez la machine ; puis démarrez à nouveau."},
    {Msg::kNoDriveFound,
     "none of the paths leads to a drive of this cloud. Put {0} back from the backup, or write the path of one of its "
     "drives into the consortium's file (path of a [[site.drive]]): the others are found by it. The log says what each "
     "path led to.",
     "aucun des chemins ne mène à un disque de ce nuage. Remettez {0} depuis la sauvegarde, ou écrivez le chemin d'un "
     "de ses disques dans le fichier du consortium (path d'un [[site.drive]]) : les autres sont retrouvés par lui. Le "
     "journal technique dit à quoi mène chaque chemin."},
    {Msg::kNoConsortium,
     "{0}: not found: give the path of a consortium file (associates, sites, drives, tenants and policy, as TOML)",
     "{0} : introuvable : donnez le chemin d'un fichier de consortium (associés, sites, disques, locataires et "
     "politique, en TOML)"},
    {Msg::kDrivesOfAnotherCloud,
     "none of the paths leads to a drive of this cloud; the drives that are there were written with other keys. {0} "
     "probably holds another cloud's keys: put this one's back from the backup",
     "aucun des chemins ne mène à un disque de ce nuage ; les disques qui sont là ont été écrits avec d'autres clés. "
     "{0} porte sans doute les clés d'un autre nuage : remettez celles de celui-ci depuis la sauvegarde"},
    {Msg::kKeysAreGone,
     "the cloud's keys are not there: {0} is missing. Put keys/ back from the backup, or mount what a link of it leads "
     "to; without them no byte can be read",
     "les clés du nuage ne sont pas là : {0} manque. Remettez keys/ depuis la sauvegarde, ou montez ce à quoi mène un "
     "lien qui s'y trouve ; sans elles, aucun octet ne peut être lu"},
    {Msg::kStartWithoutMirror,
     "no drive with a current copy of the metadata is there; bring one of these back, where it was: {0}. Nothing was "
     "written.",
     "aucun disque portant une copie à jour des métadonnées n'est là ; ramenez l'un de ceux-ci, là où il était : {0}. "
     "Rien n'a été "
     "écrit."},
    {Msg::kStartInDoubt,
     "these drives are missing, or cannot say what they hold, and may have gone on without the others: {0}. Nothing "
     "was "
     "written. Bring them back. If they are lost for good, start without what they may hold: andromede drive proceed "
     "--without {1}",
     "ces disques manquent, ou ne peuvent dire ce qu'ils portent, et ont pu continuer sans les autres : {0}. Rien n'a "
     "été écrit. Ramenez-les. S'ils sont perdus pour de bon, démarrez sans ce qu'ils peuvent porter : andromede drive "
     "proceed --without {1}"},
    {Msg::kStartTwoHistories,
     "the drives have gone on without each other, and carry histories of their own. Nothing was written. Decide which "
     "to keep; what the others hold beyond it is given up.{0}",
     "les disques ont continué les uns sans les autres et portent des histoires différentes. Rien n'a été écrit. "
     "Décidez laquelle garder ; ce que les autres portent de plus est abandonné.{0}"},
    {Msg::kOneHistory, "{0}: map {1}, last written {2}", "{0} : carte {1}, écrite pour la dernière fois {2}"},
    {Msg::kKeepHistory, "to keep it: andromede drive proceed --without {0}",
     "pour la garder : andromede drive proceed --without {0}"},
    {Msg::kDriveElsewhere,
     "Drive {0} lies at {1}, but it is used at {2} only: mount it there, or put a symbolic link there.",
     "Le disque {0} se trouve à {1}, mais il ne sert qu'à {2} : montez-le là, ou mettez-y un lien symbolique."},
    {Msg::kProceeds, "It is decided, and the journal will say so. Start it: andromede serve --config {0}",
     "C'est décidé, et le journal le dira. Démarrez-le : andromede serve --config {0}"},
    {Msg::kNothingToDecide, "nothing has to be decided: the cloud starts with the drives that are there",
     "il n'y a rien à décider : le nuage démarre avec les disques qui sont là"},
    {Msg::kNoDriveNamed, "no drive is named {0}", "aucun disque ne s'appelle {0}"},
    {Msg::kNoDriveLeft, "no drive would be left", "il ne resterait aucun disque"},
    {Msg::kOthersMissing, "these are missing too, and not named: {0}",
     "ceux-ci manquent aussi et ne sont pas nommés : {0}"},
    {Msg::kOfTheSameHistory, "{0} is there, and of the same history: it is not to be left behind",
     "{0} est là, et de la même histoire : il n'est pas à laisser"},
    {Msg::kTooManyDecisions, "{0} decisions wait to be journaled already: bring drives back until the cloud starts",
     "{0} décisions attendent déjà d'être inscrites au journal : ramener des disques jusqu'à ce que le nuage démarre"},
    {Msg::kConsortiumIsAnother,
     "{0}: the consortium file is not the one that is recorded as version {1}: {2}. Changes go through a running "
     "server: "
     "put the recorded file back, start, and `andromede consortium apply FILE`. The recorded one is in {3}",
     "{0} : le fichier du consortium n'est pas celui qui est enregistré comme version {1} : {2}. Les changements "
     "passent "
     "par un serveur qui tourne : remettez le fichier enregistré, démarrez, puis « andromede consortium apply FICHIER "
     "». "
     "Celui qui est enregistré est dans {3}"},
    {Msg::kConsortiumIsGone,
     "{0}: {1} is not there: put the one back that was applied last (at first, the one that `andromede init` made), or "
     "name it with `consortium`",
     "{0} : {1} n'existe pas : remettez celui qui a été appliqué en dernier (au début, celui qu'a fait « andromede "
     "init "
     "»), ou nommez-le par « consortium »"},
    {Msg::kConsortiumHandedBack,
     "{0}. The one that is recorded, version {1}, was written to {2}: put it at {3}, and start",
     "{0}. Celui qui est enregistré, version {1}, a été écrit dans {2} : mettez-le à la place de {3}, et démarrez"},
    {Msg::kFewDescriptors,
     "this process may hold {0} file descriptors, and a cloud of {1} drives takes at least {2}: raise the hard limit "
     "(LimitNOFILE= of the service, ulimit -Hn)",
     "ce processus peut tenir {0} descripteurs de fichiers, et un nuage de {1} disques en demande au moins {2} : "
     "relevez "
     "la limite (LimitNOFILE= du service, ulimit -Hn)"},
    {Msg::kCannotListen, "{0}: {1}: {2}{3}", "{0} : {1} : {2}{3}"},
    {Msg::kPortTaken,
     ". `ss -ltnp` shows which program listens where: stop that one, or choose another address and port",
     ". « ss -ltnp » montre quel programme écoute où : arrêtez-le, ou choisissez une autre adresse et un autre port"},
    {Msg::kNotAnAddressHere,
     ". It is not an address of this machine: `ip addr` shows those; 0.0.0.0 and [::] stand for all of them",
     ". Ce n'est pas une adresse de cette machine : « ip addr » les montre ; 0.0.0.0 et [::] les désignent toutes"},
    {Msg::kPortNeedsCapability,
     ". Ports below 1024 are for who has CAP_NET_BIND_SERVICE (docs/operations.md, TLS): give it to the service, or "
     "choose another port",
     ". Les ports sous 1024 exigent CAP_NET_BIND_SERVICE (docs/fr/operations.md, TLS) : donnez-la au service, ou "
     "choisissez un autre port"},
    {Msg::kCaIsThere, "{0} is there already", "{0} existe déjà"},
    {Msg::kCloudIsThere,
     "{0} holds a cloud already: choose another folder, or start that one with `andromede serve --config {1}`",
     "{0} porte déjà un nuage : choisissez un autre dossier, ou démarrez celui-là avec « andromede serve --config {1} "
     "»"},
    {Msg::kConsortiumIsThere,
     "{0} is there, but no cloud: move it elsewhere (init writes its own copy there), and name it with --consortium",
     "{0} est là, mais pas de nuage : déplacez-le ailleurs (init y écrit sa propre copie) et nommez-le par "
     "--consortium"},
    {Msg::kNoCa,
     "{0} is not there: this cloud has no local authority, and only `andromede init --local-ca` makes one. Give the "
     "server a certificate of your own: tls_certificate and tls_key in [s3]",
     "{0} n'existe pas : ce nuage n'a pas d'autorité locale, et seul « andromede init --local-ca » en crée une. Donnez "
     "au serveur votre propre certificat : tls_certificate et tls_key dans [s3]"},
    {Msg::kCaNotInPlace, "{0}: cannot be put in place: {1}", "{0} : ne peut être mis en place : {1}"},
    {Msg::kOldCaStays, "{0}: the old certificate cannot be removed: {1}",
     "{0} : l'ancien certificat ne peut être supprimé : {1}"},
    {Msg::kInitDone, "Made a cloud. Drives: {0}, tenants: {1}.", "Nuage créé. Disques : {0}, locataires : {1}."},
    {Msg::kInitToken, "Operator's token: {0}", "Jeton de l'opérateur : {0}"},
    {Msg::kInitBackUp, "Back up {0} now: without these keys no byte can be read, by anybody.",
     "Sauvegardez {0} dès maintenant : sans ces clés, personne ne peut plus lire un octet."},
    {Msg::kInitCa, "Certificate authority for clients: {0}", "Autorité de certification pour les clients : {0}"},
    {Msg::kInitNames, "It speaks for: {0}", "Elle vaut pour : {0}"},
    {Msg::kInitNamesHint,
     "Clients on the network reach none of these names. Set virtual_hosts in {0}, then: {1} certificate renew --config "
     "{0}, before the server is started, or started again",
     "Les clients du réseau ne joignent aucun de ces noms. Réglez virtual_hosts dans {0}, puis : {1} certificate renew "
     "--config {0}, avant de démarrer ou de redémarrer le serveur"},
    {Msg::kInitListen, "--listen {0}: {1}", "--listen {0} : {1}"},
    {Msg::kInitNeedsTls,
     "is for the network, which needs TLS: add --local-ca, or make the cloud on 127.0.0.1 and then set listen, "
     "tls_certificate and tls_key in its andromede.toml",
     "est pour le réseau, qui exige TLS : ajoutez --local-ca, ou créez le nuage sur 127.0.0.1 puis réglez listen, "
     "tls_certificate et tls_key dans son andromede.toml"},
    {Msg::kInitOperatorListen, "--operator-listen {0}: {1}", "--operator-listen {0} : {1}"},
    {Msg::kInitSameListen, "is where the tenants' listener is (--listen): choose another port",
     "est déjà l'adresse d'écoute pour les locataires (--listen) : choisissez un autre port"},
    {Msg::kInitNext, "Start it: {1} serve --config {0}", "Démarrez-le : {1} serve --config {0}"},
    {Msg::kWelcomeEndpoint, "Endpoint:    {0}", "Adresse :      {0}"},
    {Msg::kWelcomeCredentials, "Credentials: {0}", "Identifiants : {0}"},
    {Msg::kWelcomeTry, "Try, in another terminal:", "À essayer, dans un autre terminal :"},
    {Msg::kHealthy, "healthy", "en bon état"},
    {Msg::kDegraded, "DEGRADED", "DÉGRADÉ"},
    {Msg::kWritesRefused, "WRITES REFUSED since {0}: {1}", "ÉCRITURES REFUSÉES depuis {0} : {1}"},
    {Msg::kPolicyLine, "policy {0}: {1} ({2})", "politique {0} : {1} ({2})"},
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
    {Msg::kApplyFirst,
     "A drive joins at a site that the recorded consortium knows as its associate's. Where it does not yet: andromede "
     "consortium apply FILE, then again.",
     "Un disque rejoint un site que le consortium enregistré connaît comme celui de son associé. S'il ne l'est pas "
     "encore : andromede consortium apply FICHIER, puis recommencez."},
    {Msg::kDriveAdded, "{0} takes data now; `andromede status` shows how it fills.",
     "{0} reçoit des données ; « andromede status » montre son remplissage."},
    {Msg::kDriveReplaced, "{0} has a new drive; what was lost is being rebuilt (`andromede status`).",
     "{0} a un disque neuf ; ce qui manquait est en reconstruction (« andromede status »)."},
    {Msg::kDriveReclaims, "{0}: its orphans are given back now, however many (the journal says so).",
     "{0} : ses orphelins sont rendus, quel que soit leur nombre (le journal le dit)."},
    {Msg::kStarted, "job {0} ({1}) has started; `andromede status` shows how far it is.",
     "la tâche {0} ({1}) a démarré ; « andromede status » montre son avancement."},
    {Msg::kJobGoesOn, "The {0} goes on; `andromede status` shows how far it is.",
     "La tâche ({0}) continue ; « andromede status » montre son avancement."},
    {Msg::kDrainGoesOn, "The drain goes on; `andromede status` shows how far it is, `andromede drain --abort` ends it.",
     "Le retrait continue ; « andromede status » montre son avancement, « andromede drain --abort » l'abandonne."},
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
    {Msg::kCmdAccount, "open, list and close tenants' accounts", "ouvre, liste et ferme les comptes des locataires"},
    {Msg::kCmdAccountCreate, "open an account", "ouvre un compte"},
    {Msg::kCmdAccountCreateLong, "The account has a key of its own for its data, and no access keys yet.\n",
     "Le compte a sa propre clé pour ses données, et pas encore de clé d'accès.\n"},
    {Msg::kCmdAccountList, "list the accounts, closed ones too", "liste les comptes, fermés compris"},
    {Msg::kCmdAccountClose, "close an account without buckets, for ever", "ferme un compte sans seau, pour toujours"},
    {Msg::kCmdAccountCloseLong,
     "Its access keys are deleted, and the key of its data is destroyed. Refused (status 3) while it has buckets.\nIts "
     "id is not given again.\n",
     "Ses clés d'accès sont supprimées et la clé de ses données est détruite. Refusé (code 3) tant qu'il a des\nseaux. "
     "Son identifiant n'est pas redonné.\n"},
    {Msg::kCmdKey, "make, list, disable and delete access keys", "crée, liste, désactive et supprime les clés d'accès"},
    {Msg::kCmdKeyCreate, "make an access key for an account", "crée une clé d'accès pour un compte"},
    {Msg::kCmdKeyCreateLong,
     "The secret is shown this once, as an AWS profile: on standard output, or in a new file of mode 0600.\n",
     "Le secret n'est montré que cette fois, comme profil AWS : sur la sortie standard, ou dans un fichier neuf\n"
     "de mode 0600.\n"},
    {Msg::kCmdKeyList, "list an account's access keys", "liste les clés d'accès d'un compte"},
    {Msg::kCmdKeyDisable, "refuse an access key from the next request on",
     "refuse une clé d'accès dès la prochaine requête"},
    {Msg::kCmdKeyEnable, "accept a disabled access key again", "accepte de nouveau une clé d'accès désactivée"},
    {Msg::kCmdKeyDelete, "delete an access key, for ever", "supprime une clé d'accès, pour toujours"},
    {Msg::kCmdOperator, "make, list and revoke operators", "crée, liste et révoque les opérateurs"},
    {Msg::kCmdOperatorCreate, "make an operator with a token", "crée un opérateur avec un jeton"},
    {Msg::kCmdOperatorCreateLong,
     "The token is shown this once: on standard output, or in a new file of mode 0600. The journal names the\n"
     "operator in all that is done with it.\n",
     "Le jeton n'est montré que cette fois : sur la sortie standard, ou dans un fichier neuf de mode 0600. Le\n"
     "journal nomme l'opérateur dans tout ce qui est fait avec.\n"},
    {Msg::kCmdOperatorList, "list the operators", "liste les opérateurs"},
    {Msg::kCmdOperatorRevoke, "refuse an operator's token from the next request on",
     "refuse le jeton d'un opérateur dès la prochaine requête"},
    {Msg::kOptTokenFile,
     "the file of the operator's token (default: $ANDROMEDE_TOKEN_FILE, operator.token in the cloud's folder)",
     "le fichier du jeton de l'opérateur (défaut : $ANDROMEDE_TOKEN_FILE, operator.token dans le dossier du nuage)"},
    {Msg::kOptOperatorName, "the first operator's name", "le nom du premier opérateur"},
    {Msg::kOptAccountName, "the tenant's name, for people", "le nom du locataire, pour les humains"},
    {Msg::kOptAccountId, "twelve digits (default: drawn)", "douze chiffres (défaut : tirés au sort)"},
    {Msg::kOptAccount, "the account's id", "l'identifiant du compte"},
    {Msg::kOptKey, "the access key's id", "l'identifiant de la clé d'accès"},
    {Msg::kOptOut, "a new file for the secret, which only you can read",
     "un fichier neuf pour le secret, que vous seul pouvez lire"},
    {Msg::kOptOperator, "the operator's name", "le nom de l'opérateur"},
    {Msg::kOptExpires, "how many days the token counts (default: until it is revoked)",
     "combien de jours le jeton est valable (défaut : jusqu'à sa révocation)"},
    {Msg::kColAccount, "ACCOUNT", "COMPTE"},
    {Msg::kColName, "NAME", "NOM"},
    {Msg::kColKeys, "KEYS", "CLÉS"},
    {Msg::kColKey, "ACCESS KEY", "CLÉ D'ACCÈS"},
    {Msg::kColCreated, "CREATED", "CRÉÉ"},
    {Msg::kColClosed, "CLOSED", "FERMÉ"},
    {Msg::kColOperator, "OPERATOR", "OPÉRATEUR"},
    {Msg::kColExpires, "EXPIRES", "EXPIRE"},
    {Msg::kAccountCreated, "Opened account {0}, {1}. It has no access keys yet: andromede key create {0}",
     "Compte {0} ouvert, {1}. Il n'a pas encore de clé d'accès : andromede key create {0}"},
    {Msg::kAccountClosed, "Closed account {0}.", "Compte {0} fermé."},
    {Msg::kKeyDisabled, "Access key {0} is disabled.", "La clé d'accès {0} est désactivée."},
    {Msg::kKeyEnabled, "Access key {0} is active.", "La clé d'accès {0} est active."},
    {Msg::kKeyDeleted, "Access key {0} is deleted.", "La clé d'accès {0} est supprimée."},
    {Msg::kOperatorRevoked, "Operator {0} is revoked.", "L'opérateur {0} est révoqué."},
    {Msg::kSecretWritten, "The secret is in {0}, which only you can read.",
     "Le secret est dans {0}, que vous seul pouvez lire."},
    {Msg::kProfileUse, "Try it: {0}", "À essayer : {0}"},
    {Msg::kTokenUse, "It is used with --token-file {0}, or: export ANDROMEDE_TOKEN_FILE={0}",
     "Il sert avec --token-file {0}, ou : export ANDROMEDE_TOKEN_FILE={0}"},
    {Msg::kSecretNotWritten, "the secret could not be written: what was made was taken back",
     "le secret n'a pu être écrit : ce qui avait été créé a été repris"},
    {Msg::kNoConfig,
     "no configuration: name it with --config, or set ANDROMEDE_CONFIG, or make a cloud with `andromede init`",
     "aucune configuration : nommez-la avec --config, ou par ANDROMEDE_CONFIG, ou créez un nuage avec « andromede init "
     "»"},
    {Msg::kIsAFolder, "{0} is a folder: name a file", "{0} est un dossier : nommez un fichier"},
    {Msg::kNotAToken, "{0} is not an operator's token: one line is expected",
     "{0} n'est pas le jeton d'un opérateur : une seule ligne est attendue"},
    {Msg::kNoToken,
     "{0}. Name your operator's token with --token-file or ANDROMEDE_TOKEN_FILE. Who has none left stops the server "
     "and makes one: andromede operator create NAME --offline --out FILE",
     "{0}. Nommez votre jeton d'opérateur par --token-file ou ANDROMEDE_TOKEN_FILE. Qui n'en a plus arrête le serveur "
     "et en crée un : andromede operator create NOM --offline --out FICHIER"},
    {Msg::kOutExists, "{0} is there already: name a new file", "{0} existe déjà : nommez un fichier neuf"},
    {Msg::kCmdConsortium, "show and change the consortium's record", "montre et change le consortium enregistré"},
    {Msg::kCmdConsortiumLong,
     "The consortium is recorded in the metadata, version by version; its file is a copy, and another file is refused\n"
     "at start. What can change: names, seats, capital and cities; associates, sites and drives that come, or that\n"
     "nothing in use needs. The policy and init's tenants cannot. Where drives are mounted is not part of it.\n",
     "Le consortium est enregistré dans les métadonnées, version par version ; son fichier est une copie, et un autre\n"
     "fichier est refusé au démarrage. Peuvent changer : les noms, les sièges, le capital et les villes ; les "
     "associés,\n"
     "sites et disques qui arrivent, ou dont rien en service n'a besoin. La politique et les locataires d'init ne le\n"
     "peuvent pas. Où les disques sont montés n'en fait pas partie.\n"},
    {Msg::kCmdConsortiumShow, "print the recorded consortium", "écrit le consortium enregistré"},
    {Msg::kCmdConsortiumCheck, "say what a file would change, and whether it may",
     "dit ce qu'un fichier changerait, et s'il le peut"},
    {Msg::kCmdConsortiumApply, "record a file as the next version", "enregistre un fichier comme version suivante"},
    {Msg::kConsortiumSame, "It means the same as version {0}: nothing to change.",
     "Il dit la même chose que la version {0} : rien à changer."},
    {Msg::kConsortiumWould, "This would be version {0}.", "Ce serait la version {0}."},
    {Msg::kConsortiumApplied, "This is version {0} from now on.", "C'est désormais la version {0}."},
    {Msg::kConsortiumVersion, "# version {0}, {1}, SHA-256 {2}", "# version {0}, {1}, SHA-256 {2}"},
    {Msg::kConsortiumFileBehind, "It is recorded; the file will be written at the next start: {0}",
     "Il est enregistré ; le fichier sera écrit au prochain démarrage : {0}"},
    {Msg::kCmdCertificate, "the certificate of the local authority", "le certificat de l'autorité locale"},
    {Msg::kCmdCertificateRenew, "make a new local authority and certificate",
     "crée une nouvelle autorité locale et son certificat"},
    {Msg::kCmdCertificateRenewLong,
     "Both are valid for two years. The authority's key is never kept, so each certificate has an authority of its\n"
     "own: give clients the new tls/ca.crt, then tell the server.\n",
     "Tous deux sont valables deux ans. La clé de l'autorité n'est jamais gardée, chaque certificat a donc sa propre\n"
     "autorité : donnez le nouveau tls/ca.crt aux clients, puis prévenez le serveur.\n"},
    {Msg::kCertificateRenewed,
     "Renewed. Clients trust {0} from now on. Tell the server: systemctl reload andromede, or kill -HUP with its "
     "process's number; restart it where virtual_hosts has changed",
     "Renouvelé. Les clients se fient désormais à {0}. Prévenez le serveur : systemctl reload andromede, ou kill -HUP "
     "avec le numéro de son processus ; redémarrez-le si virtual_hosts a changé"},
    {Msg::kOptOffline, "while nothing serves: with the cloud's own keys, for who lost every token",
     "pendant que rien ne sert : avec les clés du nuage, pour qui a perdu tous les jetons"},
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
