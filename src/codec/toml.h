// TOML, as operators write it: configuration and the consortium. Every getter checks type and range and remembers the
// key; finish() then refuses keys that nobody asked for. Every error reads "file:line: what is wrong; what is right".
//
//   TRY(auto root, codec::TomlTable::read_file("andromede.toml"));
//   TRY(auto server, root.table("server"));
//   TRY(const auto port, server.integer("port", 1, 65535, 8080));
//   CHECK_OK(root.finish());
//
// A TomlTable is a cheap handle: copies share the document and what was consumed. Not thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace andromede::codec {

inline constexpr std::size_t kMaxTomlBytes = 4 << 20;

class TomlTable {
 public:
  // `file` stands in the messages. kInvalidArgument: malformed TOML, or over kMaxTomlBytes.
  static Result<TomlTable> parse(std::string_view text, std::string file);
  // kNotFound, kIo; else as parse().
  static Result<TomlTable> read_file(const std::string& path);

  // Getters. kInvalidArgument when the key is there with another type or out of range, and, where there is no fallback,
  // when it is missing.
  Result<std::string> text(std::string_view key) const;
  Result<std::string> text(std::string_view key, std::string fallback) const;
  Result<std::optional<std::string>> optional_text(std::string_view key) const;
  Result<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max) const;
  Result<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max, std::int64_t fallback) const;
  Result<std::optional<std::int64_t>> optional_integer(std::string_view key, std::int64_t min, std::int64_t max) const;
  // Integers are numbers too.
  Result<double> number(std::string_view key, double min, double max) const;
  Result<double> number(std::string_view key, double min, double max, double fallback) const;
  Result<bool> flag(std::string_view key) const;
  Result<bool> flag(std::string_view key, bool fallback) const;
  // An array of strings; a missing key is an empty array.
  Result<std::vector<std::string>> texts(std::string_view key) const;
  // [key]: required; a missing one is an error.
  Result<TomlTable> table(std::string_view key) const;
  Result<std::optional<TomlTable>> optional_table(std::string_view key) const;
  // [[key]]: a missing key is no tables.
  Result<std::vector<TomlTable>> tables(std::string_view key) const;

  [[nodiscard]] bool has(std::string_view key) const;
  // The keys as written, in the order of the file: for tables whose keys are names. Does not consume them.
  [[nodiscard]] std::vector<std::string> keys() const;
  // "file:line" of the key, or of the table when it is not there.
  [[nodiscard]] std::string where(std::string_view key = {}) const;
  // kInvalidArgument at the key's place, for what only the caller can judge.
  [[nodiscard]] Error error(std::string_view key, std::string_view message) const;

  // kInvalidArgument naming the first key, here or in any table got from here, that no getter asked for, its line, and
  // the keys that are known.
  [[nodiscard]] Status finish() const;

 private:
  struct Impl;
  explicit TomlTable(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace andromede::codec
