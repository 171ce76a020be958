// The command line.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <initializer_list>
#include <optional>
#include <string>

#include "base/left_behind.h"
#include "cloud.h"
#include "command_line.h"
#include "commands.h"
#include "crypto/secret.h"
#include "exit_codes.h"
#include "messages.h"
#include "size.h"
#include "usage.h"
#include "version.h"

namespace andromede::app {
namespace {

struct Arguments {
  CommonOptions common;
  InitOptions init;
  DriveOptions drive;
  ProceedOptions proceed;
  DrainOptions drain;
  TailOptions tail;
  AccountOptions account;
  KeyOptions key;
  OperatorOptions op;
  std::string file;
  std::vector<std::string> words;  // of the command to explain
  unsigned accept = 0;
  std::string shell = "bash";
  bool check = false;
  bool no_wait = false;
  int exit_code = kExitOk;
  Examples examples;
};

// As the server has it (docs/formats/operator-api.md), which does not know this option's name.
constexpr std::uint64_t kMinBandwidthBytesPerS = 64 * 1024;

// A wrong value stays as it was typed, for the error: CLI::AsSizeValue leaves what it could not read.
auto size_of_at_least(std::uint64_t least) {
  return CLI::Validator(
      [least](std::string& value) {
        const auto bytes = parse_size(value);
        if (!bytes || *bytes < least) return std::string("no such size");
        value = std::to_string(*bytes);
        return std::string();
      },
      "");
}

// A word that others follow, one of which is to be given.
CLI::App* group(CLI::App& parent, const char* name, Msg about, std::optional<Msg> more = std::nullopt) {
  CLI::App* added = parent.add_subcommand(name, text(about));
  added->group(text(Msg::kLabelCommands));
  added->footer(more ? "\n" + text(*more) : std::string());
  added->require_subcommand(1);
  return added;
}

// What is run. Its help ends with the examples; the first is shown too when it is called wrongly.
CLI::App* command(CLI::App& parent, Arguments& arguments, const char* name, Msg about, std::optional<Msg> more,
                  std::initializer_list<std::string> examples) {
  CLI::App* added = parent.add_subcommand(name, text(about));
  added->group(text(Msg::kLabelCommands));
  std::string footer = more ? "\n" + text(*more) : std::string();
  footer += "\n" + text(Msg::kExamples) + "\n";
  for (const std::string& example : examples) footer += "  " + example + "\n";
  added->footer(footer);
  arguments.examples.emplace(added, *examples.begin());
  return added;
}

void add_drive_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* drive = group(app, "drive", Msg::kCmdDrive);
  command(*drive, arguments, "list", Msg::kCmdDriveList, {}, {"andromede drive list"})->callback([&] {
    arguments.exit_code = run_drive_list(arguments.common);
  });

  CLI::App* add = command(*drive, arguments, "add", Msg::kCmdDriveAdd, Msg::kCmdDriveAddLong,
                          {"andromede drive add thales-3 --site thales --associate thales --path /mnt/thales-3"});
  add->add_option("NAME", arguments.drive.name, text(Msg::kOptDriveName))->required();
  add->add_option("--site", arguments.drive.site, text(Msg::kOptSite))->required();
  add->add_option("--associate", arguments.drive.associate, text(Msg::kOptAssociate))->required();
  add->add_option("--path", arguments.drive.path, text(Msg::kOptPath))->required();
  add->add_option("--capacity-bytes", arguments.drive.capacity_bytes, text(Msg::kOptCapacity, {text(Msg::kSizeUnits)}))
      ->transform(size_of_at_least(0))
      ->option_text("BYTES");
  add->callback([&] { arguments.exit_code = run_drive_add(arguments.common, arguments.drive); });

  CLI::App* replace = command(*drive, arguments, "replace", Msg::kCmdDriveReplace, Msg::kCmdDriveReplaceLong,
                              {"andromede drive replace orange-1 /mnt/orange-1b"});
  replace->add_option("NAME", arguments.drive.name, text(Msg::kOptDriveName))->required();
  replace->add_option("PATH", arguments.drive.path, text(Msg::kOptPath))->required();
  replace->callback([&] { arguments.exit_code = run_drive_replace(arguments.common, arguments.drive); });

  CLI::App* reclaim = command(*drive, arguments, "reclaim", Msg::kCmdDriveReclaim, Msg::kCmdDriveReclaimLong,
                              {"andromede drive reclaim orange-1"});
  reclaim->add_option("NAME", arguments.drive.name, text(Msg::kOptDriveName))->required();
  reclaim->callback([&] { arguments.exit_code = run_drive_reclaim(arguments.common, arguments.drive); });

  CLI::App* heal =
      command(*drive, arguments, "heal", Msg::kCmdDriveHeal, Msg::kCmdDriveHealLong, {"andromede drive heal"});
  heal->add_flag("--no-wait", arguments.no_wait, text(Msg::kOptNoWait));
  heal->callback([&] { arguments.exit_code = run_drive_heal(arguments.common, arguments.no_wait); });

  CLI::App* proceed = command(*drive, arguments, "proceed", Msg::kCmdDriveProceed, Msg::kCmdDriveProceedLong,
                              {"andromede drive proceed --without orange-1,orange-2,thales-1,thales-2"});
  proceed->add_option("--without", arguments.proceed.without, text(Msg::kOptWithout))
      ->required()
      ->delimiter(',')
      ->option_text("NAME,NAME");
  proceed->callback([&] { arguments.exit_code = run_drive_proceed(arguments.common, arguments.proceed); });
}

// What no single option says.
void check_drain(const DrainOptions& drain) {
  const bool limited = drain.accept_site_losses || drain.accept_unerased || drain.bandwidth_bytes_per_s > 0;
  // One drain runs at a time. Named with another site, an abortion would end a drain that its operator did not mean.
  if (drain.abort && (!drain.site.empty() || !drain.drive.empty() || limited))
    throw Misuse(text(Msg::kAbortNamesNothing));
  if (!drain.abort && drain.site.empty() == drain.drive.empty()) throw Misuse(text(Msg::kNeedSiteOrDrive));
}

void add_drain_command(CLI::App& app, Arguments& arguments) {
  CLI::App* drain = command(app, arguments, "drain", Msg::kCmdDrain, Msg::kCmdDrainLong,
                            {"andromede drain dassault", "andromede drain dassault --accept-site-losses 1 --no-wait",
                             "andromede drain --drive orange-2", "andromede drain --abort"});
  drain->add_option("SITE", arguments.drain.site, text(Msg::kOptDrainSite));
  drain->add_option("--drive", arguments.drain.drive, text(Msg::kOptDrainDrive));
  CLI::Option* accept = drain->add_option("--accept-site-losses", arguments.accept, text(Msg::kOptAccept))
                            ->check(CLI::Range(0U, 32U))
                            ->option_text("0-32");
  drain->add_flag("--accept-unerased", arguments.drain.accept_unerased, text(Msg::kOptAcceptUnerased));
  drain
      ->add_option("--bandwidth", arguments.drain.bandwidth_bytes_per_s,
                   text(Msg::kOptBandwidth, {text(Msg::kSizeUnits)}))
      ->transform(size_of_at_least(kMinBandwidthBytesPerS))
      ->option_text("BYTES");
  drain->add_flag("--abort", arguments.drain.abort, text(Msg::kOptAbort));
  drain->add_flag("--no-wait", arguments.drain.no_wait, text(Msg::kOptNoWait));
  drain->callback([&arguments, accept] {
    if (accept->count() > 0) arguments.drain.accept_site_losses = arguments.accept;
    check_drain(arguments.drain);
    arguments.exit_code = run_drain(arguments.common, arguments.drain);
  });
}

void add_journal_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* journal = group(app, "journal", Msg::kCmdJournal);
  CLI::App* tail =
      command(*journal, arguments, "tail", Msg::kCmdJournalTail, {}, {"andromede journal tail -n 50 --follow"});
  tail->add_option("-n", arguments.tail.count, text(Msg::kOptTailCount))
      ->check(CLI::Range(1, 1000))
      ->option_text("1-1000");
  tail->add_flag("--follow,-f", arguments.tail.follow, text(Msg::kOptTailFollow));
  tail->add_flag("--verify", arguments.tail.verify, text(Msg::kOptTailVerify));
  tail->callback([&] { arguments.exit_code = run_journal_tail(arguments.common, arguments.tail); });
  command(*journal, arguments, "verify", Msg::kCmdJournalVerify, {}, {"andromede journal verify"})->callback([&] {
    arguments.exit_code = run_journal_verify(arguments.common);
  });
}

void add_account_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* account = group(app, "account", Msg::kCmdAccount);
  CLI::App* create = command(
      *account, arguments, "create", Msg::kCmdAccountCreate, Msg::kCmdAccountCreateLong,
      {"andromede account create \"Ville de Lyon\"", "andromede key create 100000000003 --out lyon.credentials"});
  create->add_option("NAME", arguments.account.name, text(Msg::kOptAccountName))->required();
  create->add_option("--account", arguments.account.account, text(Msg::kOptAccountId));
  create->callback([&] { arguments.exit_code = run_account_create(arguments.common, arguments.account); });
  command(*account, arguments, "list", Msg::kCmdAccountList, {}, {"andromede account list"})->callback([&] {
    arguments.exit_code = run_account_list(arguments.common);
  });
  CLI::App* close = command(*account, arguments, "close", Msg::kCmdAccountClose, Msg::kCmdAccountCloseLong,
                            {"andromede account close 100000000003"});
  close->add_option("ACCOUNT", arguments.account.account, text(Msg::kOptAccount))->required();
  close->callback([&] { arguments.exit_code = run_account_close(arguments.common, arguments.account); });
}

void add_key_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* key = group(app, "key", Msg::kCmdKey);
  CLI::App* create = command(*key, arguments, "create", Msg::kCmdKeyCreate, Msg::kCmdKeyCreateLong,
                             {"andromede key create 100000000003 --out lyon.credentials"});
  create->add_option("ACCOUNT", arguments.key.account, text(Msg::kOptAccount))->required();
  create->add_option("--out", arguments.key.out, text(Msg::kOptOut));
  create->callback([&] { arguments.exit_code = run_key_create(arguments.common, arguments.key); });
  CLI::App* list = command(*key, arguments, "list", Msg::kCmdKeyList, {}, {"andromede key list 100000000003"});
  list->add_option("ACCOUNT", arguments.key.account, text(Msg::kOptAccount))->required();
  list->callback([&] { arguments.exit_code = run_key_list(arguments.common, arguments.key); });

  struct Change {
    const char* name;
    Msg about;
    int (*run)(const CommonOptions&, const KeyOptions&);
  };
  for (const Change& change :
       {Change{"disable", Msg::kCmdKeyDisable, run_key_disable}, Change{"enable", Msg::kCmdKeyEnable, run_key_enable},
        Change{"delete", Msg::kCmdKeyDelete, run_key_delete}}) {
    CLI::App* one = command(*key, arguments, change.name, change.about, {},
                            {std::string("andromede key ") + change.name + " AKIAABCDEFGHIJKLMNOP"});
    one->add_option("KEY", arguments.key.key, text(Msg::kOptKey))->required();
    one->callback([&arguments, run = change.run] { arguments.exit_code = run(arguments.common, arguments.key); });
  }
}

void add_operator_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* op = group(app, "operator", Msg::kCmdOperator);
  CLI::App* create = command(*op, arguments, "create", Msg::kCmdOperatorCreate, Msg::kCmdOperatorCreateLong,
                             {"andromede operator create claire --expires-days 365 --out claire.token",
                              "andromede status --token-file claire.token"});
  create->add_option("NAME", arguments.op.name, text(Msg::kOptOperator))->required();
  create->add_option("--expires-days", arguments.op.expires_days, text(Msg::kOptExpires))
      ->check(CLI::Range(1U, 3660U))
      ->option_text("1-3660");
  create->add_option("--out", arguments.op.out, text(Msg::kOptOut));
  create->add_flag("--offline", arguments.op.offline, text(Msg::kOptOffline));
  create->callback([&] { arguments.exit_code = run_operator_create(arguments.common, arguments.op); });
  command(*op, arguments, "list", Msg::kCmdOperatorList, {}, {"andromede operator list"})->callback([&] {
    arguments.exit_code = run_operator_list(arguments.common);
  });
  CLI::App* revoke =
      command(*op, arguments, "revoke", Msg::kCmdOperatorRevoke, {}, {"andromede operator revoke claire"});
  revoke->add_option("NAME", arguments.op.name, text(Msg::kOptOperator))->required();
  revoke->callback([&] { arguments.exit_code = run_operator_revoke(arguments.common, arguments.op); });
}

void add_consortium_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* consortium = group(app, "consortium", Msg::kCmdConsortium, Msg::kCmdConsortiumLong);
  command(*consortium, arguments, "show", Msg::kCmdConsortiumShow, {}, {"andromede consortium show > consortium.toml"})
      ->callback([&] { arguments.exit_code = run_consortium_show(arguments.common); });
  CLI::App* check = command(*consortium, arguments, "check", Msg::kCmdConsortiumCheck, {},
                            {"andromede consortium check consortium.toml"});
  check->add_option("FILE", arguments.file, text(Msg::kOptConsortium))->required();
  check->callback([&] { arguments.exit_code = run_consortium_check(arguments.common, arguments.file); });
  CLI::App* apply = command(*consortium, arguments, "apply", Msg::kCmdConsortiumApply, Msg::kCmdConsortiumLong,
                            {"andromede consortium apply consortium.toml"});
  apply->add_option("FILE", arguments.file, text(Msg::kOptConsortium))->required();
  apply->callback([&] { arguments.exit_code = run_consortium_apply(arguments.common, arguments.file); });

  CLI::App* certificate = group(app, "certificate", Msg::kCmdCertificate);
  command(*certificate, arguments, "renew", Msg::kCmdCertificateRenew, Msg::kCmdCertificateRenewLong,
          {"andromede certificate renew && systemctl reload andromede"})
      ->callback([&] { arguments.exit_code = run_certificate_renew(arguments.common); });
}

void add_server_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* init =
      command(app, arguments, "init", Msg::kCmdInit, Msg::kCmdInitLong,
              {"andromede init --folder /srv/andromede --consortium examples/consortium-2011.toml --local-ca"});
  init->add_option("--folder", arguments.init.folder, text(Msg::kOptFolder))->required();
  init->add_option("--consortium", arguments.init.consortium, text(Msg::kOptConsortium))->required();
  init->add_option("--listen", arguments.init.s3_listen, text(Msg::kOptS3Listen))->capture_default_str();
  init->add_option("--operator-listen", arguments.init.operator_listen, text(Msg::kOptOperatorListen))
      ->capture_default_str();
  init->add_option("--operator", arguments.init.operator_name, text(Msg::kOptOperatorName))->capture_default_str();
  init->add_flag("--local-ca", arguments.init.local_ca, text(Msg::kOptLocalCa));
  init->callback([&] { arguments.exit_code = run_init(arguments.init, arguments.common.json); });

  command(app, arguments, "serve", Msg::kCmdServe, Msg::kCmdServeLong,
          {"andromede serve --config /srv/andromede/andromede.toml"})
      ->callback([&] { arguments.exit_code = run_serve(arguments.common); });
  command(app, arguments, "welcome", Msg::kCmdWelcome, {}, {"andromede welcome"})->callback([&] {
    arguments.exit_code = run_welcome(arguments.common);
  });
}

void speak_the_language(CLI::App& app) {
  app.set_help_flag("-h,--help", text(Msg::kOptHelp));
  auto& formatter = *app.get_formatter();
  formatter.label("Usage", text(Msg::kLabelUsage));
  formatter.label("Options", text(Msg::kLabelOptions));
  formatter.label("OPTIONS", text(Msg::kLabelOption));
  formatter.label("Positionals", text(Msg::kLabelArguments));
  formatter.label("Subcommands", text(Msg::kLabelCommands));
  formatter.label("SUBCOMMAND", text(Msg::kLabelCommand));
  formatter.label("REQUIRED", text(Msg::kLabelRequired));
}

void add_help_command(CLI::App& app, Arguments& arguments) {
  CLI::App* help = command(app, arguments, "help", Msg::kCmdHelp, {}, {"andromede help drive add"});
  help->add_option("COMMAND", arguments.words, text(Msg::kOptHelpCommand));
  help->callback([&app, &arguments] {
    CLI::App* found = &app;
    std::string name = app.get_name();
    for (const std::string& word : arguments.words) {
      const auto named = found->get_subcommands([&word](const CLI::App* one) { return one->get_name() == word; });
      if (named.empty()) {
        arguments.exit_code =
            report_usage(Error(make_error_code(Errc::kInvalidArgument), text(Msg::kNoSuchCommand, {name, word})));
        return;
      }
      found = named.front();
      name += " " + word;
    }
    print(app.get_formatter()->make_help(found, name, CLI::AppFormatMode::Normal));
  });
}

int run(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(text(Msg::kAbout), "andromede");
  app.footer("\n" + text(Msg::kFooter));
  app.require_subcommand(1);
  app.fallthrough();
  speak_the_language(app);
  app.set_version_flag("--version,-V", std::string("andromede ") + kVersion, text(Msg::kCmdVersion));
  app.add_option("--config,-c", arguments.common.config, text(Msg::kOptConfig));
  app.add_option("--token-file", arguments.common.token_file, text(Msg::kOptTokenFile));
  app.add_flag("--json", arguments.common.json, text(Msg::kOptJson));

  add_server_commands(app, arguments);
  CLI::App* status = command(app, arguments, "status", Msg::kCmdStatus, {}, {"andromede status --check"});
  status->add_flag("--check", arguments.check, text(Msg::kOptCheck));
  status->callback([&] { arguments.exit_code = run_status(arguments.common, arguments.check); });
  add_drive_commands(app, arguments);
  CLI::App* scrub = command(app, arguments, "scrub", Msg::kCmdScrub, Msg::kCmdScrubLong, {"andromede scrub --json"});
  scrub->add_flag("--no-wait", arguments.no_wait, text(Msg::kOptNoWait));
  scrub->callback([&] { arguments.exit_code = run_scrub(arguments.common, arguments.no_wait); });
  add_drain_command(app, arguments);
  add_account_commands(app, arguments);
  add_key_commands(app, arguments);
  add_operator_commands(app, arguments);
  add_consortium_commands(app, arguments);
  add_journal_commands(app, arguments);
  command(app, arguments, "version", Msg::kCmdVersion, {}, {"andromede version"})->callback([&] {
    arguments.exit_code = run_version(arguments.common.json);
  });
  add_help_command(app, arguments);
  CLI::App* completion =
      command(app, arguments, "completion", Msg::kCmdCompletion, {}, {"source <(andromede completion bash)"});
  completion->add_option("SHELL", arguments.shell, text(Msg::kOptShell))
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  completion->callback([&] { arguments.exit_code = run_completion(arguments.shell); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      app.exit(error);
      return kExitOk;
    }
    std::fputs(explain(app, error, arguments.examples).c_str(), stderr);
    return kExitUsage;
  }
  return arguments.exit_code;
}

}  // namespace
}  // namespace andromede::app

namespace {

int run_command(int argc, char** argv) {
  try {
    // Before anything is read: most commands see a secret, and none is worth a core dump.
    if (const auto forbidden = andromede::crypto::forbid_core_dumps(); !forbidden) {
      return andromede::app::report(forbidden.error());
    }
    return andromede::app::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "andromede: %s\n", error.what());
    return andromede::app::kExitFailed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int exit_code = run_command(argc, argv);
  // What a drive keeps would keep us, and, should it answer while the process takes itself down, would meet what is
  // gone.
  std::fflush(nullptr);
  const bool kept = andromede::app::give_up_clouds();
  if (!kept && andromede::left_behind() == 0) return exit_code;
  ::_exit(exit_code);
}
