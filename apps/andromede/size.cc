#include "size.h"

#include <charconv>
#include <limits>
#include <string>

namespace andromede::app {
namespace {

constexpr std::string_view kPrefixes = "kmgt";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view without_blanks(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> factor_of(std::string_view unit) {
  const std::string name = lower(unit);
  std::string_view rest = name;
  if (rest.ends_with('b') || rest.ends_with('o')) rest.remove_suffix(1);
  if (rest.empty()) return 1;
  const std::size_t power = kPrefixes.find(rest.front());
  const bool binary = rest.substr(1) == "i";
  if (power == std::string_view::npos || (rest.size() > 1 && !binary)) return std::nullopt;
  std::uint64_t factor = 1;
  for (std::size_t i = 0; i <= power; ++i) factor *= binary ? 1024 : 1000;
  return factor;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  text = without_blanks(text);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const auto factor = factor_of(without_blanks(text.substr(static_cast<std::size_t>(end - text.data()))));
  if (!factor || number > std::numeric_limits<std::uint64_t>::max() / *factor) return std::nullopt;
  return number * *factor;
}

}  // namespace andromede::app
