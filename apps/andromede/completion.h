// The completion scripts of packaging/completion/, compiled in.
#pragma once

namespace andromede::app {

extern const char* const kBashCompletion;
extern const char* const kZshCompletion;

}  // namespace andromede::app
