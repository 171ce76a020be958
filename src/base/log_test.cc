#include "base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>

namespace andromede {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(Log, EscapesWhatJsonCannotHold) {
  EXPECT_EQ(quoted("a\"b\\c\n"), R"("a\"b\\c\u000a")");
  EXPECT_EQ(quoted("clé"), "\"clé\"");
  EXPECT_EQ(quoted("\xff\xc0\x80z"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
}

// What a LogThread writes, and who reads it when the test says so.
class LogThreadTest : public testing::Test {
 protected:
  LogThreadTest() { EXPECT_EQ(::pipe(ends_.data()), 0); }
  ~LogThreadTest() override {
    for (const int end : ends_) ::close(end);
  }

  std::string read_some() const {
    std::array<char, 65536> buffer{};
    const ssize_t got = ::read(ends_[0], buffer.data(), buffer.size());
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }
  // Whether there is something to read, or comes within the time that a test waits at most.
  bool readable() const {
    pollfd look{ends_[0], POLLIN, 0};
    return ::poll(&look, 1, 20'000) == 1;
  }
  // All that was written so far.
  std::string read_all() {
    EXPECT_EQ(::fcntl(ends_[0], F_SETFL, O_NONBLOCK), 0);
    std::string all;
    while (true) {
      const std::string some = read_some();
      if (some.empty()) return all;
      all += some;
    }
  }
  [[nodiscard]] int descriptor() const { return ends_[1]; }

 private:
  std::array<int, 2> ends_{};
};

TEST_F(LogThreadTest, WritesWholeLinesInTheirOrder) {
  {
    const LogThread thread(descriptor());
    log_info("first");
    log_error("second", {{"drive", "etat-1"}});
  }
  const std::string all = read_all();
  EXPECT_TRUE(all.starts_with(R"({"time":")")) << all;
  EXPECT_LT(all.find(R"("message":"first"})"
                     "\n"),
            all.find(R"("message":"second","drive":"etat-1"})"
                     "\n"));
}

// Such a reader once stopped every event loop.
TEST_F(LogThreadTest, WhoLogsDoesNotWaitForAReaderThatHasStopped) {
  std::optional<LogThread> thread(descriptor());
  const std::string filling(64 << 10, 'x');
  constexpr std::size_t kEach = 1000;
  for (std::size_t i = 0; i < kEach; ++i) log_info(filling);
  // No room is left for a line of its level, however short.
  for (std::size_t i = 0; i < kEach; ++i) log_info("short");
  log_warning("a drive is lost", {{"why", std::string(1000, 'y')}});
  std::string all;
  std::size_t told = std::string::npos;
  while (told == std::string::npos || all.find('\n', told) == std::string::npos) {
    all += read_some();
    told = all.find("were dropped");
  }
  EXPECT_NE(all.find("a drive is lost"), std::string::npos);
  EXPECT_LT(all.size(), 4U << 20);
  const std::size_t written = static_cast<std::size_t>(std::count(all.begin(), all.begin() + told, '\n'));
  const std::string dropped = "\"lines\":" + std::to_string(2 * kEach + 1 - written) + "}";
  EXPECT_NE(all.find(dropped, told), std::string::npos) << all.substr(told);
  thread.reset();
}

// More in all than may wait at once.
TEST_F(LogThreadTest, AReaderThatKeepsUpGetsEveryLine) {
  const LogThread thread(descriptor());
  const std::string filling(64 << 10, 'x');
  for (int i = 0; i < 100; ++i) {
    log_info(filling);
    for (std::string line; !line.ends_with('\n'); line += read_some()) ASSERT_TRUE(readable()) << i;
  }
}

TEST_F(LogThreadTest, AReaderThatHasStoppedKeepsNobodyFromEnding) {
  const auto began = std::chrono::steady_clock::now();
  {
    const LogThread thread(descriptor());
    for (int i = 0; i < 4; ++i) log_info(std::string(64 << 10, 'x'));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5 * LogThread::kPatience);
  // What it left behind goes on, and ends.
  std::string all;
  while (all.size() < 4U << 16) all += read_some();
}

}  // namespace
}  // namespace andromede
