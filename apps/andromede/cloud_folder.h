// The files of a cloud's folder, beside its configuration (docs/formats/cloud-folder.md), and how small files are read
// and written there.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace andromede::app {

inline constexpr std::size_t kMaxSmallFileBytes = 4 << 20;

struct CloudFolder {
  std::string root;  // absolute

  [[nodiscard]] std::string config() const { return root + "/andromede.toml"; }
  [[nodiscard]] std::string consortium() const { return root + "/consortium.toml"; }
  // The recorded one, written when consortium() is another.
  [[nodiscard]] std::string recorded_consortium() const { return root + "/consortium.recorded.toml"; }
  [[nodiscard]] std::string credentials() const { return root + "/credentials.json"; }
  // The same as an AWS shared credentials file: the first tenant is [default], all have a section of their account.
  [[nodiscard]] std::string aws_credentials() const { return root + "/aws-credentials"; }
  [[nodiscard]] std::string operator_token() const { return root + "/operator.token"; }
  // Paths of all drives, one a line, so that a cloud is found again when none of its first drives is left.
  [[nodiscard]] std::string drive_paths() const { return root + "/drive-paths"; }
  // There while `init` makes the cloud: its id, then the folders of its drives, one a line.
  [[nodiscard]] std::string unfinished() const { return root + "/unfinished"; }
  [[nodiscard]] std::string keys() const { return root + "/keys"; }
  [[nodiscard]] std::string root_key() const { return keys() + "/root.sealed"; }
  [[nodiscard]] std::string root_seal() const { return keys() + "/root.seal"; }
  [[nodiscard]] std::string directory_key() const { return keys() + "/directory.wrapped"; }
  [[nodiscard]] std::string drives_key() const { return keys() + "/drives.wrapped"; }
  [[nodiscard]] std::string tls() const { return root + "/tls"; }
};

// `path` from the working directory on, without dots or a slash at its end. Empty stays empty.
std::string absolute_path(const std::string& path);

// kNotFound, kIo, kInvalidArgument (over kMaxSmallFileBytes).
Result<std::string> read_text_file(const std::string& path);
// As read_text_file; kRefused when others than the owner may read it.
Result<std::string> read_secret_file(const std::string& path);
// Makes the folder, and those it lies in, durable when this answers; no error when it is there.
Status make_folder(const std::string& path);
// What was made, renamed and removed in the folder is durable when this answers. kIo.
Status sync_folder(const std::string& path);
// Replaces the file so that after a crash the old content or the new is there; mode 0600 when `secret`, else 0644.
Status write_file(const std::string& path, std::string_view content, bool secret);

}  // namespace andromede::app
