// The key of a test's drives, and opening them with it. For tests only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "io/drive_survey.h"

namespace andromede::io {

inline std::shared_ptr<const DriveSeal> test_seal(std::uint64_t seed = 1) {
  SeededRandom random(seed);
  return std::make_shared<const DriveSeal>(crypto::SecretKey::random(random));
}

inline Result<std::unique_ptr<Drives>> open_drives(const std::vector<std::string>& paths, OpenDisk open_disk,
                                                   std::chrono::milliseconds answer_limit = kDriveAnswerLimit) {
  TRY(DriveSurvey survey, DriveSurvey::make(paths, test_seal(), std::move(open_disk), answer_limit));
  return Drives::open(std::move(survey));
}

}  // namespace andromede::io
