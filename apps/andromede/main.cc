// The command line.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "command_line.h"
#include "commands.h"
#include "crypto/secret.h"
#include "exit_codes.h"
#include "messages.h"

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
  unsigned accept = 0;
  std::string shell = "bash";
  bool check = false;
  bool no_wait = false;
  int exit_code = kExitOk;
};

CLI::App* command(CLI::App& parent, const char* name, Msg about, std::optional<Msg> more = std::nullopt) {
  CLI::App* added = parent.add_subcommand(name, text(about));
  if (more) added->footer("\n" + text(*more));
  return added;
}

void add_drive_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* drive = command(app, "drive", Msg::kCmdDrive);
  drive->require_subcommand(1);
  command(*drive, "list", Msg::kCmdDriveList)->callback([&] {
    arguments.exit_code = run_drive_list(arguments.common);
  });

  CLI::App* add = command(*drive, "add", Msg::kCmdDriveAdd, Msg::kCmdDriveAddLong);
  add->add_option("NAME", arguments.drive.name, text(Msg::kOptDriveName))->required();
  add->add_option("--site", arguments.drive.site, text(Msg::kOptSite))->required();
  add->add_option("--associate", arguments.drive.associate, text(Msg::kOptAssociate))->required();
  add->add_option("--path", arguments.drive.path, text(Msg::kOptPath))->required();
  add->add_option("--capacity-bytes", arguments.drive.capacity_bytes, text(Msg::kOptCapacity));
  add->callback([&] { arguments.exit_code = run_drive_add(arguments.common, arguments.drive); });

  CLI::App* replace = command(*drive, "replace", Msg::kCmdDriveReplace, Msg::kCmdDriveReplaceLong);
  replace->add_option("NAME", arguments.drive.name, text(Msg::kOptDriveName))->required();
  replace->add_option("PATH", arguments.drive.path, text(Msg::kOptPath))->required();
  replace->callback([&] { arguments.exit_code = run_drive_replace(arguments.common, arguments.drive); });

  CLI::App* reclaim = command(*drive, "reclaim", Msg::kCmdDriveReclaim, Msg::kCmdDriveReclaimLong);
  reclaim->add_option("NAME", arguments.drive.name, text(Msg::kOptDriveName))->required();
  reclaim->callback([&] { arguments.exit_code = run_drive_reclaim(arguments.common, arguments.drive); });

  CLI::App* heal = command(*drive, "heal", Msg::kCmdDriveHeal, Msg::kCmdDriveHealLong);
  heal->add_flag("--no-wait", arguments.no_wait, text(Msg::kOptNoWait));
  heal->callback([&] { arguments.exit_code = run_drive_heal(arguments.common, arguments.no_wait); });

  CLI::App* proceed = command(*drive, "proceed", Msg::kCmdDriveProceed, Msg::kCmdDriveProceedLong);
  proceed->add_option("--without", arguments.proceed.without, text(Msg::kOptWithout))
      ->required()
      ->delimiter(',')
      ->option_text("NAME,NAME");
  proceed->callback([&] { arguments.exit_code = run_drive_proceed(arguments.common, arguments.proceed); });
}

void add_drain_command(CLI::App& app, Arguments& arguments) {
  CLI::App* drain = command(app, "drain", Msg::kCmdDrain, Msg::kCmdDrainLong);
  drain->add_option("SITE", arguments.drain.site, text(Msg::kOptDrainSite));
  drain->add_option("--drive", arguments.drain.drive, text(Msg::kOptDrainDrive));
  CLI::Option* accept = drain->add_option("--accept-site-losses", arguments.accept, text(Msg::kOptAccept))
                            ->check(CLI::Range(0U, 32U))
                            ->option_text("0-32");
  drain->add_flag("--accept-unerased", arguments.drain.accept_unerased, text(Msg::kOptAcceptUnerased));
  drain->add_option("--bandwidth", arguments.drain.bandwidth_bytes_per_s, text(Msg::kOptBandwidth))
      ->transform(CLI::AsSizeValue(false))
      ->check([](const std::string& value) { return value == "0" ? text(Msg::kMoreThanNothing) : std::string(); })
      ->option_text("BYTES");
  drain->add_flag("--abort", arguments.drain.abort, text(Msg::kOptAbort));
  drain->add_flag("--no-wait", arguments.drain.no_wait, text(Msg::kOptNoWait));
  drain->callback([&arguments, accept] {
    if (accept->count() > 0) arguments.drain.accept_site_losses = arguments.accept;
    arguments.exit_code = run_drain(arguments.common, arguments.drain);
  });
}

void add_journal_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* journal = command(app, "journal", Msg::kCmdJournal);
  journal->require_subcommand(1);
  CLI::App* tail = command(*journal, "tail", Msg::kCmdJournalTail);
  tail->add_option("-n", arguments.tail.count, text(Msg::kOptTailCount))->check(CLI::Range(1, 1000));
  tail->add_flag("--follow,-f", arguments.tail.follow, text(Msg::kOptTailFollow));
  tail->add_flag("--verify", arguments.tail.verify, text(Msg::kOptTailVerify));
  tail->callback([&] { arguments.exit_code = run_journal_tail(arguments.common, arguments.tail); });
  command(*journal, "verify", Msg::kCmdJournalVerify)->callback([&] {
    arguments.exit_code = run_journal_verify(arguments.common);
  });
}

void add_account_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* account = command(app, "account", Msg::kCmdAccount);
  account->require_subcommand(1);
  CLI::App* create = command(*account, "create", Msg::kCmdAccountCreate, Msg::kCmdAccountCreateLong);
  create->add_option("NAME", arguments.account.name, text(Msg::kOptAccountName))->required();
  create->add_option("--account", arguments.account.account, text(Msg::kOptAccountId));
  create->callback([&] { arguments.exit_code = run_account_create(arguments.common, arguments.account); });
  command(*account, "list", Msg::kCmdAccountList)->callback([&] {
    arguments.exit_code = run_account_list(arguments.common);
  });
  CLI::App* close = command(*account, "close", Msg::kCmdAccountClose, Msg::kCmdAccountCloseLong);
  close->add_option("ACCOUNT", arguments.account.account, text(Msg::kOptAccount))->required();
  close->callback([&] { arguments.exit_code = run_account_close(arguments.common, arguments.account); });
}

void add_key_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* key = command(app, "key", Msg::kCmdKey);
  key->require_subcommand(1);
  CLI::App* create = command(*key, "create", Msg::kCmdKeyCreate, Msg::kCmdKeyCreateLong);
  create->add_option("ACCOUNT", arguments.key.account, text(Msg::kOptAccount))->required();
  create->add_option("--out", arguments.key.out, text(Msg::kOptOut));
  create->callback([&] { arguments.exit_code = run_key_create(arguments.common, arguments.key); });
  CLI::App* list = command(*key, "list", Msg::kCmdKeyList);
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
    CLI::App* one = command(*key, change.name, change.about);
    one->add_option("KEY", arguments.key.key, text(Msg::kOptKey))->required();
    one->callback([&arguments, run = change.run] { arguments.exit_code = run(arguments.common, arguments.key); });
  }
}

void add_operator_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* op = command(app, "operator", Msg::kCmdOperator);
  op->require_subcommand(1);
  CLI::App* create = command(*op, "create", Msg::kCmdOperatorCreate, Msg::kCmdOperatorCreateLong);
  create->add_option("NAME", arguments.op.name, text(Msg::kOptOperator))->required();
  create->add_option("--expires-days", arguments.op.expires_days, text(Msg::kOptExpires))
      ->check(CLI::Range(1U, 3660U))
      ->option_text("1-3660");
  create->add_option("--out", arguments.op.out, text(Msg::kOptOut));
  create->add_flag("--offline", arguments.op.offline, text(Msg::kOptOffline));
  create->callback([&] { arguments.exit_code = run_operator_create(arguments.common, arguments.op); });
  command(*op, "list", Msg::kCmdOperatorList)->callback([&] {
    arguments.exit_code = run_operator_list(arguments.common);
  });
  CLI::App* revoke = command(*op, "revoke", Msg::kCmdOperatorRevoke);
  revoke->add_option("NAME", arguments.op.name, text(Msg::kOptOperator))->required();
  revoke->callback([&] { arguments.exit_code = run_operator_revoke(arguments.common, arguments.op); });
}

void add_consortium_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* consortium = command(app, "consortium", Msg::kCmdConsortium, Msg::kCmdConsortiumLong);
  consortium->require_subcommand(1);
  command(*consortium, "show", Msg::kCmdConsortiumShow)->callback([&] {
    arguments.exit_code = run_consortium_show(arguments.common);
  });
  CLI::App* check = command(*consortium, "check", Msg::kCmdConsortiumCheck);
  check->add_option("FILE", arguments.file, text(Msg::kOptConsortium))->required();
  check->callback([&] { arguments.exit_code = run_consortium_check(arguments.common, arguments.file); });
  CLI::App* apply = command(*consortium, "apply", Msg::kCmdConsortiumApply, Msg::kCmdConsortiumLong);
  apply->add_option("FILE", arguments.file, text(Msg::kOptConsortium))->required();
  apply->callback([&] { arguments.exit_code = run_consortium_apply(arguments.common, arguments.file); });

  CLI::App* certificate = command(app, "certificate", Msg::kCmdCertificate);
  certificate->require_subcommand(1);
  command(*certificate, "renew", Msg::kCmdCertificateRenew, Msg::kCmdCertificateRenewLong)->callback([&] {
    arguments.exit_code = run_certificate_renew(arguments.common);
  });
}

void add_server_commands(CLI::App& app, Arguments& arguments) {
  CLI::App* init = command(app, "init", Msg::kCmdInit, Msg::kCmdInitLong);
  init->add_option("--folder", arguments.init.folder, text(Msg::kOptFolder))->required();
  init->add_option("--consortium", arguments.init.consortium, text(Msg::kOptConsortium))->required();
  init->add_option("--listen", arguments.init.s3_listen, text(Msg::kOptS3Listen))->capture_default_str();
  init->add_option("--operator-listen", arguments.init.operator_listen, text(Msg::kOptOperatorListen))
      ->capture_default_str();
  init->add_option("--operator", arguments.init.operator_name, text(Msg::kOptOperatorName))->capture_default_str();
  init->add_flag("--local-ca", arguments.init.local_ca, text(Msg::kOptLocalCa));
  init->callback([&] { arguments.exit_code = run_init(arguments.init, arguments.common.json); });

  command(app, "serve", Msg::kCmdServe, Msg::kCmdServeLong)->callback([&] {
    arguments.exit_code = run_serve(arguments.common);
  });
  command(app, "welcome", Msg::kCmdWelcome)->callback([&] { arguments.exit_code = run_welcome(arguments.common); });
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

// What CLI11 found wrong; its own words are English only.
std::string describe(const CLI::App& app, const CLI::ParseError& error) {
  const std::string said = error.what();
  const std::vector<std::string> unknown = app.remaining(true);
  const std::string_view required = " is required";
  if (!unknown.empty()) return text(Msg::kUnexpected, {unknown.front()});
  if (said.ends_with(required)) {
    const std::string what = said.substr(0, said.size() - required.size());
    return text(Msg::kMissing, {what == "A subcommand" ? text(Msg::kLabelCommand) : what});
  }
  return text(Msg::kBadCommandLine, {said});
}

int run(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(text(Msg::kAbout), "andromede");
  app.footer("\n" + text(Msg::kFooter));
  app.require_subcommand(1);
  app.fallthrough();
  speak_the_language(app);
  app.add_option("--config,-c", arguments.common.config, text(Msg::kOptConfig));
  app.add_option("--token-file", arguments.common.token_file, text(Msg::kOptTokenFile));
  app.add_flag("--json", arguments.common.json, text(Msg::kOptJson));

  add_server_commands(app, arguments);
  CLI::App* status = command(app, "status", Msg::kCmdStatus, Msg::kCmdStatusLong);
  status->add_flag("--check", arguments.check, text(Msg::kOptCheck));
  status->callback([&] { arguments.exit_code = run_status(arguments.common, arguments.check); });
  add_drive_commands(app, arguments);
  CLI::App* scrub = command(app, "scrub", Msg::kCmdScrub, Msg::kCmdScrubLong);
  scrub->add_flag("--no-wait", arguments.no_wait, text(Msg::kOptNoWait));
  scrub->callback([&] { arguments.exit_code = run_scrub(arguments.common, arguments.no_wait); });
  add_drain_command(app, arguments);
  add_account_commands(app, arguments);
  add_key_commands(app, arguments);
  add_operator_commands(app, arguments);
  add_consortium_commands(app, arguments);
  add_journal_commands(app, arguments);
  command(app, "version", Msg::kCmdVersion)->callback([&] {
    arguments.exit_code = run_version(arguments.common.json);
  });
  CLI::App* completion = command(app, "completion", Msg::kCmdCompletion);
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
    std::fprintf(stderr, "%s\n%s\n", text(Msg::kError, {describe(app, error)}).c_str(), text(Msg::kSeeHelp).c_str());
    return kExitUsage;
  }
  return arguments.exit_code;
}

}  // namespace
}  // namespace andromede::app

int main(int argc, char** argv) {
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
