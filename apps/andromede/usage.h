// What is wrong with a command line, in the person's language: which command it is, what it lacks or does not know, and
// how it is called right. The one place that says so.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <utility>

namespace andromede::app {

// How commands are called right, each the first line of its examples.
using Examples = std::map<const CLI::App*, std::string>;

// What no option says by itself, in the person's language.
class Misuse : public CLI::ParseError {
 public:
  static constexpr const char* kName = "Misuse";
  explicit Misuse(std::string message) : ParseError(kName, std::move(message), CLI::ExitCodes::ValidationError) {}
};

// Lines for standard error. `app` is as CLI11 left it when it threw `error`.
std::string explain(const CLI::App& app, const CLI::ParseError& error, const Examples& examples);

}  // namespace andromede::app
