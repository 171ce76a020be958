#pragma once

namespace andromede::app {
inline constexpr const char* kVersion = ANDROMEDE_VERSION;
}  // namespace andromede::app
