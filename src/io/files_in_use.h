// FilesInUse: what one opening of a drive relies on to keep its name, so that probe() can tell a name that somebody
// else removed, moved away or gave to another file from one that this process gave up. Thread-safe; never held while
// the drive is called.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace andromede::io {

class FilesInUse {
 public:
  using Identity = std::pair<std::uint64_t, std::uint64_t>;  // of a file or folder, while it is open

  struct Use {
    const std::string path;
    const Identity identity;
    std::atomic<bool> given_up{false};
    std::atomic<bool> ended{false};
    Use(std::string name, Identity file) : path(std::move(name)), identity(file) {}
    // To be asked again once its name is not found: both may have happened meanwhile.
    [[nodiscard]] bool goes_on() const { return !given_up && !ended; }
  };

  // In use while the answer lives, whoever looks at all() then.
  [[nodiscard]] std::shared_ptr<const void> add(std::string path, Identity identity);
  // Before this process takes the name away itself. Answers those to whom it is to be given back where that fails.
  [[nodiscard]] std::vector<std::shared_ptr<Use>> give_up(const std::string& path);
  // Those that go on, by path.
  [[nodiscard]] std::vector<std::shared_ptr<Use>> all();

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Use>> uses_;
};

}  // namespace andromede::io
