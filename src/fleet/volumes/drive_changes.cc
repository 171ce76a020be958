// Drives that join, and drives that take the place of lost ones.
#include "base/log.h"
#include "fleet/volumes/fleet_impl.h"

namespace andromede::fleet {

Status FleetImpl::change_drives(const std::string& event, const std::string& principal, Parameters parameters,
                                DriveId joining, const std::function<Status(DriveMap&)>& change) {
  CHECK_OK(journal_.record_restoring(event, principal, parameters));
  if (Status changed = drives_.update(change); !changed) {
    parameters.emplace_back("error", changed.error().message());
    const Status told = journal_.record_restoring(event + "Failed", principal, std::move(parameters));
    if (!told) log_warning("a failure is not journaled", {{"event", event}, {"error", told.error().describe()}});
    return changed;
  }
  CHECK_OK(blobs_.attach(joining));
  candidates_.refresh();
  return {};
}

Status FleetImpl::add_drive(NewDrive joining, std::string operator_name) {
  DriveInfo drive;
  drive.id = DriveId::random(random_);
  drive.name = std::move(joining.name);
  drive.site = std::move(joining.site);
  drive.associate = std::move(joining.associate);
  drive.path = std::move(joining.path);
  drive.capacity_bytes = joining.capacity_bytes;
  const std::lock_guard operators(operators_);
  const auto map = drives_.map();
  if (map->find(drive.name) != nullptr) {
    return fail(Errc::kAlreadyExists,
                "a drive named " + drive.name.value() + " is or was part of this cloud: choose a new name");
  }
  for (const DriveInfo& other : map->drives) {
    const bool used = io::in_use(other);
    if (used && other.path == drive.path) {
      return fail(Errc::kAlreadyExists, drive.path + " is the folder of drive " + other.name.value());
    }
    if (used && other.site == drive.site && other.associate != drive.associate) {
      return fail(Errc::kInvalidArgument, "site " + drive.site.value() + " is " + other.associate.value() + "'s, not " +
                                              drive.associate.value() + "'s");
    }
  }
  {
    const std::lock_guard lock(mutex_);
    joining_.insert(drive.id);
  }
  CHECK_OK(admit_(drive, [&] {
    return change_drives("AddDrive", operator_name,
                         {{"drive", drive.name.value()},
                          {"site", drive.site.value()},
                          {"associate", drive.associate.value()},
                          {"path", drive.path}},
                         drive.id, [&](DriveMap& changed) -> Status {
                           changed.drives.push_back(drive);
                           return {};
                         });
  }));
  CHECK_OK(restore_site_losses());
  due(true, true);
  return {};
}

Status FleetImpl::replace_drive(DriveName lost, std::string path, std::string operator_name) {
  const std::lock_guard operators(operators_);
  const auto map = drives_.map();
  const DriveInfo* old = map->find(lost);
  if (old == nullptr) return fail(Errc::kNotFound, "no drive named " + lost.value() + "; see: andromede drive list");
  if (!io::in_use(*old)) {
    return fail(Errc::kConflict, lost.value() + " has left the cloud already");
  }
  if (old->state == DriveState::kDraining) {
    return fail(Errc::kConflict,
                lost.value() + " is draining: abort the drain first, or drain it with --accept-unerased");
  }
  if (drives_.online(old->id)) {
    return fail(Errc::kRefused,
                lost.value() +
                    " is online: empty it instead, so that nothing has to be rebuilt: andromede drain --drive " +
                    lost.value());
  }
  DriveInfo successor = *old;
  successor.id = DriveId::random(random_);
  successor.path = path;
  successor.state = DriveState::kActive;
  successor.mirrors_metadata = false;
  CHECK_OK(change_drives(
      "ReplaceDrive", operator_name,
      {{"drive", lost.value()}, {"path", path}, {"lostId", old->id.to_string()}, {"newId", successor.id.to_string()}},
      successor.id, [&](DriveMap& changed) -> Status {
        for (DriveInfo& drive : changed.drives) {
          if (drive.id != successor.id && drive.name == lost) {
            drive.state = DriveState::kReplaced;
            // Names are unique: history keeps its own.
            drive.name = DriveName(lost.value() + "-until-" + std::to_string(changed.epoch));
          }
        }
        changed.drives.push_back(successor);
        return {};
      }));
  owe_heal(true);
  return {};
}

}  // namespace andromede::fleet
