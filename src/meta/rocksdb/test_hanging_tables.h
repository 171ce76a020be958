// HangingTables: a mirror whose drive answers nothing of what RocksDB reads. For tests only.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace andromede::meta {

// The tables of a state that has opened none of them yet are pipes that nobody writes to: who opens one waits.
class HangingTables {
 public:
  explicit HangingTables(std::string folder) : folder_(std::move(folder)) {
    for (const std::string& path : paths()) {
      std::filesystem::remove(path);
      EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
    }
  }
  HangingTables(const HangingTables&) = delete;
  HangingTables& operator=(const HangingTables&) = delete;
  ~HangingTables() { let_go(); }
  // Whoever waits is let go, and reads an end. True: somebody waited.
  bool let_go() {
    bool any = false;
    for (const std::string& path : paths()) {
      const int writer = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
      if (writer < 0) continue;
      ::close(writer);
      any = true;
    }
    return any;
  }

 private:
  [[nodiscard]] std::vector<std::string> paths() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == ".sst") found.push_back(entry.path());
    }
    return found;
  }
  const std::string folder_;
};

}  // namespace andromede::meta
