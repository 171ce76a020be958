#include "io/files_in_use.h"

#include <algorithm>

namespace andromede::io {

std::shared_ptr<FilesInUse::Use> FilesInUse::add(std::string path, Identity identity) {
  auto use = std::make_shared<Use>(std::move(path), identity);
  const std::lock_guard lock(mutex_);
  std::erase_if(uses_, [](const auto& one) { return one.expired(); });
  uses_.push_back(use);
  return use;
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
    for (const auto& one : uses_) {
      if (auto use = one.lock(); use != nullptr && !use->given_up) uses.push_back(std::move(use));
    }
  }
  std::sort(uses.begin(), uses.end(), [](const auto& one, const auto& other) { return one->path < other->path; });
  return uses;
}

}  // namespace andromede::io
