// init, serve, welcome, version, completion: what needs no running server.
#include <cstdio>
#include <filesystem>

#include "aws_hints.h"
#include "cloud_folder.h"
#include "command_line.h"
#include "commands.h"
#include "completion.h"
#include "exit_codes.h"
#include "messages.h"
#include "serve.h"
#include "version.h"

namespace andromede::app {
namespace {

// This program, as a shell anywhere runs it.
std::string own_path() {
  std::error_code code;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", code);
  return code ? std::string("andromede") : self.string();
}

void say_welcome(const Config& config, std::FILE* out) {
  const CloudFolder folder{config.folder};
  const auto line = [out](const std::string& words) { std::fprintf(out, "%s\n", words.c_str()); };
  line(text(Msg::kWelcomeEndpoint, {client_endpoint(config)}));
  line(text(Msg::kWelcomeCredentials, {folder.credentials()}));
  line(text(Msg::kWelcomeTry));
  // The secret stays in its file: the client reads it from there.
  line("  export AWS_SHARED_CREDENTIALS_FILE=" + shell_word(folder.aws_credentials()) + " " + aws_settings(config));
  const std::string aws = "  " + aws_s3(config) + " ";
  line(aws + "mb s3://premier");
  line(aws + "cp /etc/os-release s3://premier/");
  line("  " + shell_word(own_path()) + " status --config " + shell_word(config.file));
}

}  // namespace

int run_init(const InitOptions& options, bool json) {
  // A person waits for one answer here, not for the engines' story.
  set_log_level(LogLevel::kWarning);
  const auto made = init_cloud(options);
  if (!made) {
    const bool usage = made.error() == Errc::kInvalidArgument || made.error() == Errc::kNotFound;
    return usage ? report_usage(made.error()) : report(made.error());
  }
  if (json) {
    print_json({{"config", made->config},
                {"credentials", made->credentials},
                {"endpoint", made->endpoint},
                {"ca_certificate", made->ca_certificate},
                {"drives", made->drives},
                {"tenants", made->tenants}});
    return kExitOk;
  }
  print(text(Msg::kInitDone, {std::to_string(made->drives), std::to_string(made->tenants)}));
  print(text(Msg::kWelcomeCredentials, {made->credentials}));
  if (!made->ca_certificate.empty()) {
    std::string names;
    for (const std::string& name : made->certificate_names) names += (names.empty() ? "" : ", ") + name;
    print(text(Msg::kInitCa, {made->ca_certificate}));
    print(text(Msg::kInitNames, {names}));
    if (!made->reachable) print(text(Msg::kInitNamesHint, {made->config, own_path()}));
  }
  const CloudFolder folder{std::filesystem::path(made->config).parent_path().string()};
  print(text(Msg::kInitToken, {folder.operator_token()}));
  print(text(Msg::kInitBackUp, {folder.keys()}));
  print(text(Msg::kInitNext, {made->config, own_path()}));
  return kExitOk;
}

int run_serve(const CommonOptions& common) {
  const auto config = find_config(common);
  if (!config) return report_usage(config.error());
  const Status served = serve(*config);
  if (served) return kExitOk;
  return served.error() == Errc::kInvalidArgument ? report_usage(served.error()) : report(served.error());
}

int run_welcome(const CommonOptions& common) {
  const auto config = find_config(common);
  if (!config) return report_usage(config.error());
  if (common.json) {
    print_json({{"endpoint", client_endpoint(*config)},
                {"region", config->region},
                {"credentials", CloudFolder{config->folder}.credentials()}});
    return kExitOk;
  }
  say_welcome(*config, stdout);
  return kExitOk;
}

int run_version(bool json) {
  if (json) {
    print_json({{"version", kVersion}});
  } else {
    print(std::string("andromede ") + kVersion);
  }
  return kExitOk;
}

int run_completion(const std::string& shell) {
  std::fputs(shell == "zsh" ? kZshCompletion : kBashCompletion, stdout);
  return kExitOk;
}

}  // namespace andromede::app
