#include "progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "messages.h"

namespace andromede::app {
namespace {

constexpr unsigned kBarWidth = 30;

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  char out[32];
  std::snprintf(out, sizeof out, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return out;
}

std::string human_seconds(std::uint64_t seconds) {
  if (seconds >= 3600) return std::to_string(seconds / 3600) + " h " + std::to_string(seconds % 3600 / 60) + " min";
  if (seconds >= 60) return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
  return std::to_string(seconds) + " s";
}

std::string progress_line(const nlohmann::json& job) {
  const auto done = job.value("bytes_done", std::uint64_t{0});
  const auto total = std::max(job.value("bytes_total", std::uint64_t{0}), done);
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
  const auto filled = static_cast<unsigned>(share * kBarWidth);
  const std::string bar = std::string(filled, '#') + std::string(kBarWidth - filled, '.');
  std::string title = job.value("kind", "");
  if (title == "drain") title += " " + job.value("subject", "");
  std::string line = text(Msg::kProgress, {title, bar, std::to_string(static_cast<unsigned>(share * 100)),
                                           human_bytes(done), human_bytes(total)});
  if (const auto eta = job.find("eta_seconds"); eta != job.end() && eta->is_number()) {
    line += text(Msg::kEta, {human_seconds(eta->get<std::uint64_t>())});
  }
  return line;
}

ProgressBar::ProgressBar() : terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::draw(const std::string& line) {
  if (!terminal_) return;
  // Back to the first column, the line, and whatever an older, longer one left behind it erased.
  std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace andromede::app
