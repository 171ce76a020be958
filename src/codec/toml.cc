#include "codec/toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <set>

namespace andromede::codec {

struct TomlTable::Impl {
  std::shared_ptr<const toml::table> document;
  std::shared_ptr<const std::string> file;
  const toml::table* table = nullptr;
  std::string name;  // "server", "site.drives"; empty for the root
  std::set<std::string, std::less<>> known;
  std::vector<std::shared_ptr<Impl>> handed_out;

  // Marks the key as known and answers its node, null when absent.
  const toml::node* ask(std::string_view key) {
    known.emplace(key);
    return table->get(key);
  }
  [[nodiscard]] std::string place(toml::source_region source) const {
    return *file + ":" + std::to_string(source.begin.line);
  }
  [[nodiscard]] std::string title(std::string_view key) const {
    return "\"" + (name.empty() ? std::string() : name + ".") + std::string(key) + "\"";
  }
  [[nodiscard]] std::string where(std::string_view key) const {
    const toml::node* node = key.empty() ? nullptr : table->get(key);
    if (node != nullptr) return place(node->source());
    // The root table has no header of its own: its line is 0 or 1, and naming the file alone reads better.
    return name.empty() ? *file : place(table->source());
  }
  [[nodiscard]] Error error(std::string_view key, std::string_view message) const {
    return {make_error_code(Errc::kInvalidArgument), where(key) + ": " + title(key) + " " + std::string(message)};
  }
  std::shared_ptr<Impl> hand_out(std::string_view key, const toml::table* child) {
    for (const auto& existing : handed_out) {
      if (existing->table == child) return existing;
    }
    auto impl = std::make_shared<Impl>();
    impl->document = document;
    impl->file = file;
    impl->table = child;
    impl->name = (name.empty() ? std::string() : name + ".") + std::string(key);
    handed_out.push_back(impl);
    return impl;
  }
};

namespace {

// Levenshtein distance: small numbers mean a slip of the hand.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

constexpr std::size_t kMaxComparedKeyBytes = 64;

// "; did you mean "listen"? Known keys: …"
std::string remedy(std::string_view key, const std::set<std::string, std::less<>>& known) {
  if (known.empty()) return "; no key is known here";
  std::string list;
  std::string_view nearest;
  std::size_t nearest_distance = 3;
  for (const std::string& candidate : known) {
    list += (list.empty() ? "" : ", ") + candidate;
    if (key.size() > kMaxComparedKeyBytes) continue;
    const std::size_t distance = edit_distance(key, candidate);
    if (distance < nearest_distance) {
      nearest = candidate;
      nearest_distance = distance;
    }
  }
  const std::string guess = nearest.empty() ? "." : "; did you mean \"" + std::string(nearest) + "\"?";
  return guess + " Known keys: " + list;
}

std::string range_text(auto min, auto max) {
  return "must be between " + std::to_string(min) + " and " + std::to_string(max);
}

}  // namespace

Result<TomlTable> TomlTable::parse(std::string_view text, std::string file) {
  if (text.size() > kMaxTomlBytes) {
    return fail(Errc::kInvalidArgument,
                file + ": larger than " + std::to_string(kMaxTomlBytes) + " bytes, which no configuration needs");
  }
  try {
    auto impl = std::make_shared<Impl>();
    impl->document = std::make_shared<const toml::table>(toml::parse(text, file));
    impl->file = std::make_shared<const std::string>(std::move(file));
    impl->table = impl->document.get();
    return TomlTable(std::move(impl));
  } catch (const toml::parse_error& error) {
    return fail(Errc::kInvalidArgument,
                file + ":" + std::to_string(error.source().begin.line) + ": " + std::string(error.description()));
  }
}

Result<TomlTable> TomlTable::read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Errc::kNotFound, path + ": cannot be opened; check that it is there and readable");
  std::string text;
  text.resize(kMaxTomlBytes + 1);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || in.gcount() < 0) return fail(Errc::kIo, path + ": cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  return parse(text, path);
}

Result<std::optional<std::string>> TomlTable::optional_text(std::string_view key) const {
  const toml::node* node = impl_->ask(key);
  if (node == nullptr) return std::optional<std::string>();
  const auto* value = node->as_string();
  if (value == nullptr) return fail(error(key, "must be a string in quotes"));
  return std::optional<std::string>(value->get());
}

Result<std::string> TomlTable::text(std::string_view key) const {
  TRY(auto value, optional_text(key));
  if (!value) return fail(error(key, "is missing: a string in quotes is required"));
  return std::move(*value);
}

Result<std::string> TomlTable::text(std::string_view key, std::string fallback) const {
  TRY(auto value, optional_text(key));
  return value ? std::move(*value) : std::move(fallback);
}

Result<std::optional<std::int64_t>> TomlTable::optional_integer(std::string_view key, std::int64_t min,
                                                                std::int64_t max) const {
  const toml::node* node = impl_->ask(key);
  if (node == nullptr) return std::optional<std::int64_t>();
  const auto* value = node->as_integer();
  if (value == nullptr) return fail(error(key, "must be a whole number"));
  if (value->get() < min || value->get() > max) return fail(error(key, range_text(min, max)));
  return std::optional<std::int64_t>(value->get());
}

Result<std::int64_t> TomlTable::integer(std::string_view key, std::int64_t min, std::int64_t max) const {
  TRY(const auto value, optional_integer(key, min, max));
  if (!value) return fail(error(key, "is missing: a whole number is required"));
  return *value;
}

Result<std::int64_t> TomlTable::integer(std::string_view key, std::int64_t min, std::int64_t max,
                                        std::int64_t fallback) const {
  TRY(const auto value, optional_integer(key, min, max));
  return value.value_or(fallback);
}

Result<double> TomlTable::number(std::string_view key, double min, double max) const {
  const toml::node* node = impl_->ask(key);
  if (node == nullptr) return fail(error(key, "is missing: a number is required"));
  const auto* real = node->as_floating_point();
  const auto* whole = node->as_integer();
  if (real == nullptr && whole == nullptr) return fail(error(key, "must be a number"));
  const double value = real != nullptr ? real->get() : static_cast<double>(whole->get());
  // Written so that NaN, which compares with nothing, is refused too.
  if (!(value >= min && value <= max)) return fail(error(key, range_text(min, max)));
  return value;
}

Result<double> TomlTable::number(std::string_view key, double min, double max, double fallback) const {
  if (impl_->ask(key) == nullptr) return fallback;
  return number(key, min, max);
}

Result<bool> TomlTable::flag(std::string_view key) const {
  const toml::node* node = impl_->ask(key);
  if (node == nullptr) return fail(error(key, "is missing: true or false is required"));
  const auto* value = node->as_boolean();
  if (value == nullptr) return fail(error(key, "must be true or false"));
  return value->get();
}

Result<bool> TomlTable::flag(std::string_view key, bool fallback) const {
  if (impl_->ask(key) == nullptr) return fallback;
  return flag(key);
}

Result<std::vector<std::string>> TomlTable::texts(std::string_view key) const {
  std::vector<std::string> values;
  const toml::node* node = impl_->ask(key);
  if (node == nullptr) return values;
  const auto* array = node->as_array();
  if (array == nullptr) return fail(error(key, "must be an array of strings: [\"…\", \"…\"]"));
  for (const toml::node& item : *array) {
    const auto* value = item.as_string();
    if (value == nullptr) return fail(error(key, "must hold strings only"));
    values.push_back(value->get());
  }
  return values;
}

Result<std::optional<TomlTable>> TomlTable::optional_table(std::string_view key) const {
  const toml::node* node = impl_->ask(key);
  if (node == nullptr) return std::optional<TomlTable>();
  const auto* child = node->as_table();
  if (child == nullptr) return fail(error(key, "must be a table: [" + std::string(key) + "]"));
  return std::optional<TomlTable>(TomlTable(impl_->hand_out(key, child)));
}

Result<TomlTable> TomlTable::table(std::string_view key) const {
  TRY(auto child, optional_table(key));
  if (!child) return fail(error(key, "is missing: a table [" + std::string(key) + "] is required"));
  return std::move(*child);
}

Result<std::vector<TomlTable>> TomlTable::tables(std::string_view key) const {
  std::vector<TomlTable> children;
  const toml::node* node = impl_->ask(key);
  if (node == nullptr) return children;
  const auto* array = node->as_array();
  if (array == nullptr) return fail(error(key, "must be an array of tables: [[" + std::string(key) + "]]"));
  for (const toml::node& item : *array) {
    const auto* child = item.as_table();
    if (child == nullptr) return fail(error(key, "must hold tables only: [[" + std::string(key) + "]]"));
    children.push_back(TomlTable(impl_->hand_out(key, child)));
  }
  return children;
}

bool TomlTable::has(std::string_view key) const { return impl_->table->contains(key); }

std::vector<std::string> TomlTable::keys() const {
  std::vector<const toml::key*> keys;
  for (const auto& [key, node] : *impl_->table) keys.push_back(&key);
  // toml++ keeps keys sorted; the file's order is what an operator expects to see again.
  std::sort(keys.begin(), keys.end(), [](const toml::key* a, const toml::key* b) {
    const auto left = a->source().begin;
    const auto right = b->source().begin;
    return left.line != right.line ? left.line < right.line : left.column < right.column;
  });
  std::vector<std::string> names;
  names.reserve(keys.size());
  for (const toml::key* key : keys) names.emplace_back(key->str());
  return names;
}

std::string TomlTable::where(std::string_view key) const { return impl_->where(key); }

Error TomlTable::error(std::string_view key, std::string_view message) const { return impl_->error(key, message); }

Status TomlTable::finish() const {
  for (const std::string& key : keys()) {
    if (impl_->known.contains(key)) continue;
    const std::string place = impl_->name.empty() ? std::string() : " in [" + impl_->name + "]";
    return fail(Errc::kInvalidArgument,
                where(key) + ": unknown key \"" + key + "\"" + place + remedy(key, impl_->known));
  }
  for (const auto& child : impl_->handed_out) CHECK_OK(TomlTable(child).finish());
  return {};
}

}  // namespace andromede::codec
