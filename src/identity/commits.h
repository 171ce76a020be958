// Internal to identity/: what its commits, and the secrets that they make, have in common.
#pragma once

#include <chrono>
#include <string_view>

namespace andromede::identity {

inline constexpr const char* kSource = "identity.andromede";  // of the events
inline constexpr std::chrono::milliseconds kCommitTimeout{30'000};
inline constexpr std::string_view kAlphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

}  // namespace andromede::identity
