#include "io/files_in_use.h"

#include <algorithm>

namespace andromede::io {

std::shared_ptr<const void> FilesInUse::add(std::string path, Identity identity) {
  auto use = std::make_shared<Use>(std::move(path), identity);
  const std::lock_guard lock(mutex_);
  std::erase_if(uses_, [](const auto& one) { return one->ended.load(); });
  uses_.push_back(use);
  return {use.get(), [use](const Use*) { use->ended = true; }};
}

std::vector<std::shared_ptr<FilesInUse::Use>> FilesInUse::give_up(const std::string& path) {
  auto uses = all();
  std::erase_if(uses, [&path](const auto& use) { return use->path != path; });
  for (const auto& use : uses) use->given_up = true;
  return uses;
}

std::vector<std::shared_ptr<FilesInUse::Use>> FilesInUse::all() {
  std::vector<std::shared_ptr<Use>> uses;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& use : uses_) {
      if (use->goes_on()) uses.push_back(use);
    }
  }
  std::sort(uses.begin(), uses.end(), [](const auto& one, const auto& other) { return one->path < other->path; });
  return uses;
}

}  // namespace andromede::io
