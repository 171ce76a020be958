// The commands, each answering the process's exit code. Results go to standard output, errors to standard error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "init.h"

namespace andromede::app {

// What every command that talks to a server has.
struct CommonOptions {
  std::string config;      // path; empty: searched
  std::string token_file;  // path; empty: ANDROMEDE_TOKEN_FILE, or operator.token in the cloud's folder
  bool json = false;
};

struct DriveOptions {
  std::string name;
  std::string site;
  std::string associate;
  std::string path;
  std::uint64_t capacity_bytes = 0;
  bool no_wait = false;
};

struct ProceedOptions {
  std::vector<std::string> without;  // names of drives
};

struct DrainOptions {
  std::string site;
  std::string drive;
  std::optional<unsigned> accept_site_losses;
  std::uint64_t bandwidth_bytes_per_s = 0;  // 0: the configured one
  bool accept_unerased = false;
  bool abort = false;
  bool no_wait = false;
};

struct TailOptions {
  std::uint64_t count = 20;
  bool follow = false;
  bool verify = false;
};

struct AccountOptions {
  std::string account;  // empty with create: one is drawn
  std::string name;
};

struct KeyOptions {
  std::string account;
  std::string key;
  std::string out;  // path of a new file for the secret; empty: standard output
};

struct OperatorOptions {
  std::string name;
  unsigned expires_days = 0;  // 0: never
  std::string out;            // as KeyOptions
  bool offline = false;       // with the cloud's own keys, while nothing serves
};

int run_init(const InitOptions& options, bool json);
int run_serve(const CommonOptions& common);
int run_welcome(const CommonOptions& common);
int run_status(const CommonOptions& common, bool check);
int run_drive_list(const CommonOptions& common);
int run_drive_add(const CommonOptions& common, const DriveOptions& options);
int run_drive_replace(const CommonOptions& common, const DriveOptions& options);
int run_drive_reclaim(const CommonOptions& common, const DriveOptions& options);
int run_drive_heal(const CommonOptions& common, bool no_wait);
int run_drive_proceed(const CommonOptions& common, const ProceedOptions& options);
int run_scrub(const CommonOptions& common, bool no_wait);
int run_drain(const CommonOptions& common, const DrainOptions& options);
int run_journal_tail(const CommonOptions& common, const TailOptions& options);
int run_journal_verify(const CommonOptions& common);
int run_account_create(const CommonOptions& common, const AccountOptions& options);
int run_account_list(const CommonOptions& common);
int run_account_close(const CommonOptions& common, const AccountOptions& options);
int run_key_create(const CommonOptions& common, const KeyOptions& options);
int run_key_list(const CommonOptions& common, const KeyOptions& options);
int run_key_disable(const CommonOptions& common, const KeyOptions& options);
int run_key_enable(const CommonOptions& common, const KeyOptions& options);
int run_key_delete(const CommonOptions& common, const KeyOptions& options);
int run_operator_create(const CommonOptions& common, const OperatorOptions& options);
int run_operator_list(const CommonOptions& common);
int run_operator_revoke(const CommonOptions& common, const OperatorOptions& options);
int run_consortium_show(const CommonOptions& common);
int run_consortium_check(const CommonOptions& common, const std::string& file);
int run_consortium_apply(const CommonOptions& common, const std::string& file);
int run_certificate_renew(const CommonOptions& common);
int run_version(bool json);
int run_completion(const std::string& shell);

}  // namespace andromede::app
