#include "net/query.h"

#include <algorithm>
#include <array>

namespace andromede::net {
namespace {

constexpr char kHexDigits[] = "0123456789ABCDEF";

constexpr std::array<bool, 256> make_unreserved() {
  std::array<bool, 256> table{};
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (const unsigned char c : {'-', '.', '_', '~'}) table[c] = true;
  return table;
}
constexpr auto kUnreserved = make_unreserved();

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte of the escape that starts at text[at], or -1.
int escaped_byte(std::string_view text, std::size_t at) {
  if (text.size() - at < 3) return -1;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

class Category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "query"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<QueryErrc>(value)) {
      case QueryErrc::kBrokenEscape:
        return "broken escape";
      case QueryErrc::kTooManyParameters:
        return "too many parameters";
      case QueryErrc::kSentTwice:
        return "sent twice";
    }
    return "unknown error";
  }
};

Status check_sent_once(const std::vector<Parameter>& list) {
  std::vector<std::string_view> names;
  names.reserve(list.size());
  for (const Parameter& parameter : list) names.push_back(parameter.name);
  std::sort(names.begin(), names.end());
  const auto again = std::adjacent_find(names.begin(), names.end());
  if (again == names.end()) return {};
  return fail(QueryErrc::kSentTwice, "The query has the parameter " + std::string(again->substr(0, 100)) +
                                         " more than once; a parameter must be sent once.");
}

}  // namespace

const std::error_category& query_category() noexcept {
  static const Category category;
  return category;
}

Result<Query> Query::parse(std::string_view raw, std::size_t most) {
  Query query;
  if (raw.empty()) return query;
  const auto pieces = static_cast<std::size_t>(std::count(raw.begin(), raw.end(), '&')) + 1;
  query.list_.reserve(std::min(pieces, most));
  while (!raw.empty()) {
    const std::size_t end = std::min(raw.find('&'), raw.size());
    const std::string_view piece = raw.substr(0, end);
    raw.remove_prefix(std::min(end + 1, raw.size()));
    if (piece.empty()) continue;
    if (query.list_.size() == most) {
      return fail(QueryErrc::kTooManyParameters, "The query has more than " + std::to_string(most) + " parameters.");
    }
    const std::size_t equals = std::min(piece.find('='), piece.size());
    Parameter parameter;
    TRY(parameter.name, percent_decode(piece.substr(0, equals), true));
    TRY(parameter.value, percent_decode(piece.substr(std::min(equals + 1, piece.size())), true));
    query.list_.push_back(std::move(parameter));
  }
  if (query.list_.size() > 1) CHECK_OK(check_sent_once(query.list_));
  return query;
}

std::optional<std::string_view> Query::find(std::string_view name) const {
  for (const Parameter& parameter : list_) {
    if (parameter.name == name) return parameter.value;
  }
  return std::nullopt;
}

void append_percent_encoded(std::string& out, std::string_view text, bool keep_slash) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (kUnreserved[byte] || (keep_slash && c == '/')) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHexDigits[byte >> 4]);
      out.push_back(kHexDigits[byte & 15]);
    }
  }
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  std::string out;
  out.reserve(text.size());
  append_percent_encoded(out, text, keep_slash);
  return out;
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int byte = escaped_byte(text, i);
      if (byte < 0) return fail(QueryErrc::kBrokenEscape, "a percent escape is not followed by two hexadecimal digits");
      out.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      out.push_back(text[i] == '+' && plus_is_space ? ' ' : text[i]);
    }
  }
  return out;
}

}  // namespace andromede::net
