// Cloud: the engines and services of one cloud, opened from its folder and tied together in the order that they need
// each other. No listener: serve.h adds those; init uses it without.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "blob/shards/sharded_catalog.h"
#include "blob/store.h"
#include "blob/volumes/volume_store.h"
#include "cloud_folder.h"
#include "config.h"
#include "control/consortium_file.h"
#include "control/consortium_keeper.h"
#include "control/tenants.h"
#include "descriptors.h"
#include "fleet/fleet.h"
#include "fleet/policy_book.h"
#include "fleet/volumes/candidates.h"
#include "identity/directory.h"
#include "identity/operators.h"
#include "io/drive_survey.h"
#include "journal/journal.h"
#include "keys/custody.h"
#include "keys/key_service.h"
#include "meta/rocksdb/mirrored_store.h"
#include "objects/service.h"
#include "spread_placer.h"

namespace andromede::app {

// The consortium file of a configuration, read and checked.
Result<control::ConsortiumFile> read_consortium(const std::string& path);

// The same of the configuration that is to be served or opened. Where it is not there or not right, the recorded one is
// written beside it, if the drives can be found and opened without it, and the error says so: kInvalidArgument.
Result<control::ConsortiumFile> consortium_of(const Config& config);

// Looks at the drives that the consortium file names and that the last run knew: nothing is opened or written yet.
// Errors of io::DriveSurvey::make, and of the file that remembers.
Result<io::DriveSurvey> survey_drives(const CloudFolder& folder, const std::vector<control::DriveSpec>& named,
                                      std::shared_ptr<const io::DriveSeal> seal);
// Why those drives cannot be opened, and what can be done, in the language of the environment; nothing when they can.
Status start_refusal(io::DriveSurvey& survey);

// What a map says that acknowledging needs, by the strictest policy.
io::Minimum minimum_of(const sovereignty::Policies& policies);

class Cloud;

// Ends a Cloud: stops and destroys it, or, where a drive keeps threads that go on using it, leaves it as it is; then
// the process ends by give_up_clouds() and _exit(), whatever error it has to tell before.
struct EndCloud {
  void operator()(Cloud* cloud) const;
};
using CloudPointer = std::unique_ptr<Cloud, EndCloud>;

// Gives up the locks of the drives of clouds that were left; false: there are none. Just before _exit().
bool give_up_clouds();

class Cloud {
 public:
  // Opens what init made. The fleet is made but not started. `making`: init is at it; metadata may begin empty. Errors
  // of start_refusal() too: then nothing was written.
  static Result<CloudPointer> open(const Config& config, control::ConsortiumFile consortium, bool making = false);
  Cloud(const Cloud&) = delete;
  Cloud& operator=(const Cloud&) = delete;
  // After a stop() that left nothing. By EndCloud.
  ~Cloud() = default;

  // Opens the drives and the metadata, by `drive-paths` alone, and writes what is recorded to the folder's
  // consortium.recorded.toml. Errors as open().
  static Result<sovereignty::ConsortiumRecord> recorded_consortium(const Config& config);

  // Whether tenants can be served now: metadata mirrors, drives and room enough to write.
  [[nodiscard]] Status ready();
  // What operators should look at beside what the fleet tells, in words.
  [[nodiscard]] std::vector<std::string> warnings() const;
  // Ends all that is to be ended, metadata last, in the reverse order of opening. kTimeout: a drive that hangs keeps
  // threads, which go on using this: it is not to be destroyed. Later calls answer the same.
  Status stop();
  // From now on nobody waits for a drive, a mirror's reads included. From any thread, for a stop that can wait no
  // longer: at the latest when requests are cut.
  void end_waits();
  // Lets other processes have the drives that answer: just before _exit(), since this one may write yet.
  void unlock();

  // How the process's descriptors are shared among its drives, mirrors and connections.
  [[nodiscard]] const DescriptorPlan& descriptors() const { return descriptors_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] Metrics& metrics() { return metrics_; }
  [[nodiscard]] meta::Store& store() { return *meta_; }
  [[nodiscard]] identity::Directory& directory() { return *directory_; }
  [[nodiscard]] identity::Operators& operators() { return *operators_; }
  [[nodiscard]] control::Tenants& tenants() { return *tenants_; }
  [[nodiscard]] control::ConsortiumKeeper& consortium() { return *consortium_keeper_; }
  [[nodiscard]] keys::KeyService& keys() { return *keys_; }
  [[nodiscard]] objects::Service& objects() { return *objects_; }
  [[nodiscard]] fleet::Fleet& fleet() { return *fleet_; }

 private:
  Cloud(const Config& config, control::ConsortiumFile consortium);
  Status open_all(const Config& config, bool making);
  // `least`: what acknowledging needs.
  Status open_metadata(const Config& config, io::DriveSurvey survey, io::Minimum least, bool making);
  void make_consortium_keeper(const Config& config);
  Result<sovereignty::ConsortiumRecord> hand_back_consortium();
  // Unless init is about to record it: that the file means what is recorded.
  Status keep_consortium(const Config& config, bool making);
  // Has the map say what the policy demands now.
  Status demand_minimum();
  // Writes down where the drives are, now and before each change of them.
  Status remember_drive_paths();

  const CloudFolder folder_;
  const control::ConsortiumFile consortium_;
  fleet::PolicyBook policies_;
  PoliciesInForce storage_policies_{policies_};
  SystemClock clock_;
  SystemRandom random_;
  Metrics metrics_;
  journal::Sealer sealer_;
  DescriptorPlan descriptors_;
  std::shared_ptr<keys::Custody> custody_;
  std::unique_ptr<io::Drives> drives_;
  std::unique_ptr<meta::MirroredStore> meta_;
  std::unique_ptr<keys::KeyService> keys_;
  std::unique_ptr<identity::Directory> directory_;
  std::unique_ptr<identity::Operators> operators_;
  std::unique_ptr<control::Tenants> tenants_;
  std::unique_ptr<control::ConsortiumKeeper> consortium_keeper_;
  std::unique_ptr<blob::VolumeStore> volumes_;
  std::unique_ptr<fleet::Candidates> candidates_;
  std::unique_ptr<SpreadPlacer> placer_;
  std::unique_ptr<blob::Store> blobs_;
  std::unique_ptr<objects::Service> objects_;
  std::unique_ptr<blob::ShardedCatalog> catalog_;
  std::unique_ptr<fleet::Fleet> fleet_;
  std::optional<Status> ended_;  // by stop()
};

// Opens a drive's folder as a real disk.
Result<std::unique_ptr<io::Disk>> open_drive(const io::DriveInfo& drive);

}  // namespace andromede::app
