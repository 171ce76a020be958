// A job's progress as a line that is drawn over and over, where standard error is a terminal; elsewhere nothing.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace andromede::app {

// "1.5 GiB"
std::string human_bytes(std::uint64_t bytes);
// "2 h 5 min", "12 s"
std::string human_seconds(std::uint64_t seconds);
// The line of one job, as the operator's listener describes it.
std::string progress_line(const nlohmann::json& job);

class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar();  // ends the line
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  void draw(const std::string& line);
  void clear();

 private:
  const bool terminal_;
  bool drawn_ = false;
};

}  // namespace andromede::app
