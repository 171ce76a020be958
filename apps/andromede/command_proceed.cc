// drive proceed: the decision of who holds the cloud's keys to start without drives that may have gone on without the
// others. Offline: the server does not run, and its next start journals the decision.
#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "cloud.h"
#include "cloud_keys.h"
#include "command_line.h"
#include "commands.h"
#include "exit_codes.h"
#include "messages.h"

namespace andromede::app {
namespace {

// For the journal, which names the key holder: no server runs that could ask for a token.
std::string unix_user() {
  const passwd* entry = ::getpwuid(::getuid());
  return entry != nullptr ? entry->pw_name : "uid " + std::to_string(::getuid());
}

// Why it was refused, in the person's language.
Status say(const io::DriveSurvey& survey, const Status& refused) {
  using Objection = io::DriveSurvey::Objection;
  const auto in = [&](Msg message) -> Status {
    return tl::unexpected<Error>(Error(refused.error().code(), text(message, {survey.objected_to()})));
  };
  switch (survey.objection()) {
    case Objection::kNothingInDoubt:
      return in(Msg::kNothingToDecide);
    case Objection::kUnknownName:
      return in(Msg::kNoDriveNamed);
    case Objection::kNoDriveLeft:
      return in(Msg::kNoDriveLeft);
    case Objection::kNoMirrorLeft:
      return in(Msg::kStartWithoutMirror);
    case Objection::kTwoHistoriesLeft:
      return in(Msg::kStartTwoHistories);
    case Objection::kOthersMissing:
      return in(Msg::kOthersMissing);
    case Objection::kOfTheSameHistory:
      return in(Msg::kOfTheSameHistory);
    case Objection::kTooManyDecisions:
      return in(Msg::kTooManyDecisions);
  }
  return refused;
}

Result<std::uint64_t> proceed(const Config& config, const std::vector<std::string>& without) {
  const CloudFolder folder{config.folder};
  SystemRandom random;
  const SystemClock clock;
  TRY(const auto consortium, read_consortium(config.consortium));
  TRY(const auto custody, open_custody(folder, random));
  TRY(const auto seal, open_drive_seal(folder, *custody));
  TRY(io::DriveSurvey survey, survey_drives(folder, consortium.drives, seal));
  std::vector<DriveName> names;
  // As the journal and `andromede status` list them: with a space behind each comma.
  for (const std::string& name : without)
    names.emplace_back(name.substr(std::min(name.find_first_not_of(' '), name.size())));
  if (const Status decided = survey.decide(names, unix_user(), clock.now()); !decided) {
    return tl::unexpected<Error>(say(survey, decided).error());
  }
  TRY(const auto drives, io::Drives::open(std::move(survey)));
  drives->stop();
  return drives->map()->epoch;
}

}  // namespace

int run_drive_proceed(const CommonOptions& common, const ProceedOptions& options) {
  set_log_level(LogLevel::kError);
  const auto config = find_config(common);
  if (!config) return report_usage(config.error());
  const auto epoch = proceed(*config, options.without);
  if (!epoch) return report(epoch.error());
  if (common.json) {
    print_json({{"epoch", *epoch}, {"without", options.without}});
  } else {
    print(text(Msg::kProceeds, {config->file}));
  }
  return kExitOk;
}

}  // namespace andromede::app
