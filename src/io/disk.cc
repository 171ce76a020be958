#include "io/disk.h"

namespace andromede::io {
namespace {

Status check_part(std::string_view part, std::string_view path) {
  const auto refuse = [&](std::string_view why) {
    return fail(Errc::kInvalidArgument, "path \"" + std::string(path) + "\" " + std::string(why));
  };
  if (part.empty()) return refuse("has an empty part");
  if (part == "." || part == "..") return refuse("has a part \".\" or \"..\"");
  if (part.size() > kMaxNameBytes) return refuse("has a part longer than " + std::to_string(kMaxNameBytes) + " bytes");
  if (part.find('\0') != std::string_view::npos) return refuse("holds a zero byte");
  if (part.ends_with(kTemporarySuffix)) return refuse("ends in the reserved \"" + std::string(kTemporarySuffix) + "\"");
  return {};
}

}  // namespace

Result<std::size_t> File::read_at_nowait(std::uint64_t, MutableByteView) {
  return fail(Errc::kUnavailable, "this file cannot tell what is in memory");
}

Status check_path(std::string_view path) {
  if (path.size() > kMaxPathBytes) {
    return fail(Errc::kInvalidArgument, "a path has at most " + std::to_string(kMaxPathBytes) + " bytes");
  }
  if (path.empty()) return {};
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    CHECK_OK(check_part(path.substr(at, end - at), path));
    at = end + 1;
  }
  return {};
}

}  // namespace andromede::io
