#include "usage.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

#include "messages.h"

namespace andromede::app {
namespace {

using Names = std::vector<std::string>;

std::string join(const Names& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

// The command that was called, as far as it was understood.
const CLI::App& called(const CLI::App& app) {
  const CLI::App* deepest = &app;
  while (!deepest->get_subcommands().empty()) deepest = deepest->get_subcommands().back();
  return *deepest;
}

// "andromede drive add"
std::string full_name(const CLI::App& command) {
  const CLI::App* const parent = command.get_parent();
  return (parent == nullptr ? "" : full_name(*parent) + " ") + command.get_name();
}

std::vector<const CLI::App*> commands_of(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App*) { return true; });
}

Names names_of(const std::vector<const CLI::App*>& commands) {
  Names names;
  for (const CLI::App* const command : commands) names.push_back(command->get_name());
  return names;
}

std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  return command.get_options([](const CLI::Option*) { return true; });
}

// Of the command and of all above it.
std::vector<const CLI::Option*> all_options(const CLI::App& command) {
  std::vector<const CLI::Option*> all = options_of(command);
  for (const CLI::App* above = command.get_parent(); above != nullptr; above = above->get_parent()) {
    const auto more = options_of(*above);
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

// How many letters are added, left out, exchanged with another or with their neighbour.
std::size_t slips(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> of(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  std::iota(of[0].begin(), of[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    of[i][0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t exchanged = of[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      of[i][j] = std::min({of[i - 1][j] + 1, of[i][j - 1] + 1, exchanged});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) of[i][j] = std::min(of[i][j], of[i - 2][j - 2] + 1);
    }
  }
  return of[a.size()][b.size()];
}

// Longer words are like none.
constexpr std::size_t kMaxWordBytes = 64;

bool alike(std::string_view typed, std::string_view name) {
  if (typed.size() < 2 || typed.size() > kMaxWordBytes) return false;
  return name.starts_with(typed) || typed.starts_with(name) ||
         slips(typed, name) <= std::max<std::size_t>(1, name.size() / 3);
}

Names those_like(const std::string& typed, const Names& names) {
  Names found;
  std::copy_if(names.begin(), names.end(), std::back_inserter(found),
               [&typed](const std::string& name) { return alike(typed, name); });
  return found;
}

// Commands of that very name, wherever they are.
void find_named(const CLI::App& command, const std::string& name, Names& found) {
  for (const CLI::App* const one : commands_of(command)) {
    if (one->get_name() == name) found.push_back(full_name(*one));
    find_named(*one, name, found);
  }
}

std::string did_you_mean(const Names& names) {
  return names.empty() ? std::string() : " " + text(Msg::kDidYouMean, {join(names)});
}

std::string unknown_command(const CLI::App& app, const CLI::App& command, const std::string& typed) {
  Names like = those_like(typed, names_of(commands_of(command)));
  if (like.empty()) find_named(app, typed, like);
  return text(Msg::kNoSuchCommand, {full_name(command), typed}) + did_you_mean(like);
}

std::string unknown_option(const CLI::App& command, const std::string& typed) {
  Names names;
  for (const CLI::Option* const option : all_options(command)) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return text(Msg::kNoSuchOption, {full_name(command), typed}) +
         did_you_mean(those_like(typed.substr(0, typed.find('=')), names));
}

// With its limits, where it has some; a word that stands for a value says nothing here.
std::string describe(const CLI::Option& option) {
  const std::string& values = option.get_option_text();
  const bool limits = !values.empty() && std::isdigit(static_cast<unsigned char>(values.front())) != 0;
  return option.get_description() + (limits ? ", " + values : "");
}

std::string missing(const CLI::App& command) {
  std::string all;
  for (const CLI::Option* const option : options_of(command)) {
    if (!option->get_required() || option->count() > 0) continue;
    all += (all.empty() ? "" : ", ") + option->get_name() + " (" + describe(*option) + ")";
  }
  return all;
}

// The option that CLI11's words name; the longest, since one name may be part of another.
const CLI::Option* named(const CLI::App& command, std::string_view said) {
  const CLI::Option* found = nullptr;
  for (const CLI::Option* const option : all_options(command)) {
    const bool longer = found == nullptr || option->get_name().size() > found->get_name().size();
    if (longer && said.find(option->get_name()) != std::string_view::npos) found = option;
  }
  return found;
}

// A group is shown by its first command.
std::string example_of(const CLI::App& command, const Examples& examples) {
  const auto found = examples.find(&command);
  if (found != examples.end()) return found->second;
  const auto commands = commands_of(command);
  return commands.empty() ? std::string() : example_of(*commands.front(), examples);
}

std::string what_is_wrong(const CLI::App& app, const CLI::App& command, const CLI::ParseError& error) {
  const std::string name = full_name(command);
  const std::string said = error.what();
  const Names unknown = app.remaining(true);
  const bool is_group = !commands_of(command).empty();
  if (!unknown.empty() && unknown.front().starts_with('-')) return unknown_option(command, unknown.front());
  if (!unknown.empty() && is_group) return unknown_command(app, command, unknown.front());
  if (!unknown.empty()) return text(Msg::kUnexpected, {name, unknown.front()});
  if (error.get_name() == "RequiredError") {
    return is_group ? text(Msg::kNeedsCommand, {name}) : text(Msg::kMissing, {name, missing(command)});
  }
  const CLI::Option* const option = error.get_name() == Misuse::kName ? nullptr : named(command, said);
  if (option != nullptr && error.get_name() == "ArgumentMismatch") {
    return text(Msg::kNeedsValue, {name, option->get_name(), describe(*option)});
  }
  if (option != nullptr && option->count() > 0) {
    return text(Msg::kBadValue, {name, option->get_name(), option->results().back(), describe(*option)});
  }
  return text(Msg::kBadCommandLine, {name, said});
}

}  // namespace

std::string explain(const CLI::App& app, const CLI::ParseError& error, const Examples& examples) {
  const CLI::App& command = called(app);
  std::string lines = text(Msg::kError, {what_is_wrong(app, command, error)}) + "\n";
  if (const Names commands = names_of(commands_of(command)); !commands.empty()) {
    lines += text(Msg::kCommandsAre, {join(commands)}) + "\n";
  }
  lines += text(Msg::kForExample, {example_of(command, examples)}) + "\n";
  return lines + text(Msg::kSeeHelp, {full_name(command)}) + "\n";
}

}  // namespace andromede::app
