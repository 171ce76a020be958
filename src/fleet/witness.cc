#include "fleet/witness.h"

#include "base/deadline.h"
#include "base/task.h"
#include "journal/journal.h"

namespace andromede::fleet {
namespace {

constexpr std::chrono::seconds kCommitTimeout{30};
constexpr const char* kCloudPartition = "cloud";

}  // namespace

Status Witness::record(std::string name, std::string principal,
                       std::vector<std::pair<std::string, std::string>> parameters) const {
  journal::Event event;
  event.source = "operator.andromede";
  event.name = std::move(name);
  event.principal = std::move(principal);
  event.parameters = std::move(parameters);
  meta::Commit commit;
  commit.partition = kCloudPartition;
  commit.event = journal::render(event, clock_.now());
  const auto committed = sync_wait(store_.commit(std::move(commit), Deadline::after(clock_, kCommitTimeout)));
  if (!committed) return fail(committed.error().in("journal"));
  return {};
}

}  // namespace andromede::fleet
