#include "fleet/volumes/room.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "sovereignty/placement.h"

namespace andromede::fleet {
namespace {

// What can still be written: the less of the two kinds.
std::uint64_t room_of(const RoomLook& look) {
  std::uint64_t room = UINT64_MAX;
  if (look.takes_shards) room = look.free_bytes;
  if (look.mirrors) {
    const std::uint64_t least = look.mirror_least_bytes;
    room = std::min(room, look.mirror_free_bytes > least ? look.mirror_free_bytes - least : 0);
  }
  return room;
}

std::uint64_t missing_for_shards(const RoomLook& look) {
  if (look.free_bytes >= kLeastShardRoomBytes) return 0;
  return look.short_bytes + kLeastShardRoomBytes - look.free_bytes;
}

std::uint64_t missing_for_mirror(const RoomLook& look) {
  if (!look.mirrors || look.mirror_free_bytes >= look.mirror_least_bytes) return 0;
  return look.mirror_least_bytes - look.mirror_free_bytes;
}

// Empty: enough drives take shards.
std::string too_few_drives(std::size_t takers, const sovereignty::Policy& policy) {
  const std::size_t least = sovereignty::least_drives(policy.rule);
  if (takers >= least) return {};
  const std::size_t missing = least - takers;
  return sovereignty::named(policy.id) + ": " + std::to_string(takers) +
         (takers == 1 ? " drive takes" : " drives take") + " data, and " + std::to_string(least) +
         " have to, so that an object survives the next loss: bring back, replace or add " +
         sovereignty::counted(missing, "drive");
}

// What keeps anything from being written: on drives without room, and for want of drives.
struct Lack {
  std::map<DriveId, std::uint64_t> bring;  // bytes, so that it ends
  std::set<DriveId> full;
  std::string too_few;
};

void look_at_mirrors(const std::vector<RoomLook>& looks, Lack& lack) {
  for (const RoomLook& look : looks) {
    const std::uint64_t missing = missing_for_mirror(look);
    if (missing == 0) continue;
    lack.bring[look.drive] = missing;
    lack.full.insert(look.drive);
  }
}

void look_at_shards(const std::vector<RoomLook>& looks, const sovereignty::Policy& policy, Lack& lack) {
  std::vector<std::pair<std::uint64_t, DriveId>> lacking;
  std::size_t takers = 0;
  for (const RoomLook& look : looks) {
    if (!look.takes_shards || !policy.allows(look.site)) continue;
    ++takers;
    if (const std::uint64_t missing = missing_for_shards(look); missing > 0) lacking.emplace_back(missing, look.drive);
  }
  // With fewer drives online than shards the last shards get none, and none is missed.
  const std::size_t needed = std::min<std::size_t>(policy.rule.shards(), takers);
  const std::size_t with_room = takers - lacking.size();
  if (with_room < needed) {
    // The cheapest way: where the least is missing.
    std::sort(lacking.begin(), lacking.end());
    for (std::size_t i = 0; i < lacking.size(); ++i) {
      const auto& [missing, drive] = lacking[i];
      lack.full.insert(drive);
      if (i < needed - with_room) lack.bring[drive] = std::max(lack.bring[drive], missing);
    }
  }
  const std::string too_few = too_few_drives(takers, policy);
  if (!too_few.empty()) lack.too_few += (lack.too_few.empty() ? "" : "; ") + too_few;
}

std::string one_decimal(double value, const char* unit) {
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "%.1f %s", value, unit);
  return out.data();
}

}  // namespace

std::string in_words(std::chrono::seconds left) {
  const auto seconds = static_cast<double>(left.count());
  if (seconds >= 86'400) return one_decimal(seconds / 86'400, "days");
  if (seconds >= 5400) return one_decimal(seconds / 3600, "hours");
  if (seconds >= 120) return std::to_string(left.count() / 60) + " minutes";
  return std::to_string(left.count()) + (left.count() == 1 ? " second" : " seconds");
}

std::string in_words(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return one_decimal(value, kUnits.at(unit));
}

std::optional<WritesRefused> find_refusal(const std::vector<RoomLook>& looks, const sovereignty::Policies& policies) {
  Lack lack;
  look_at_mirrors(looks, lack);
  for (const sovereignty::Policy& policy : policies.all()) look_at_shards(looks, policy, lack);
  const auto& [bring, full, too_few] = lack;
  if (full.empty() && too_few.empty()) return std::nullopt;
  WritesRefused refused;
  refused.why = too_few;
  if (full.empty()) return refused;
  std::string names;
  for (const RoomLook& look : looks) {
    if (!full.contains(look.drive)) continue;
    refused.drives.push_back(look.name);
    names += (names.empty() ? "" : ", ") + look.name;
  }
  for (const auto& [drive, bytes] : bring) refused.missing_bytes += bytes;
  refused.drives_needed = bring.size();
  refused.why += (too_few.empty() ? "no room on " : "; no room on ") + names + ": bring " +
                 in_words(refused.missing_bytes) + " on " + std::to_string(refused.drives_needed) +
                 " of them at least, or add drives";
  return refused;
}

void RoomWatch::note(const std::vector<RoomLook>& looks, const sovereignty::Policies& policies,
                     const std::optional<std::string>& shortfall) {
  auto refused = find_refusal(looks, policies);
  if (shortfall) {
    if (!refused) refused.emplace();
    refused->why = *shortfall + (refused->why.empty() ? "" : "; ") + refused->why;
  }
  const SteadyTime now = clock_.steady();
  const std::lock_guard lock(mutex_);
  if (refused) refused->since = refused_ ? refused_->since : clock_.now();
  refused_ = std::move(refused);
  std::erase_if(samples_, [&](const auto& entry) {
    return std::none_of(looks.begin(), looks.end(), [&](const RoomLook& look) { return look.drive == entry.first; });
  });
  for (const RoomLook& look : looks) {
    std::deque<Sample>& samples = samples_[look.drive];
    // The latest is replaced until it is old enough to be kept beside the one before.
    if (samples.size() > 1 && samples.back().at - samples[samples.size() - 2].at < kFillSampleEvery) samples.pop_back();
    samples.push_back({now, room_of(look)});
    while (samples.size() > 2 && now - samples[1].at >= kFillWindow) samples.pop_front();
  }
}

std::optional<WritesRefused> RoomWatch::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

DriveFill RoomWatch::fill_of(DriveId drive) const {
  const std::lock_guard lock(mutex_);
  const auto found = samples_.find(drive);
  if (found == samples_.end()) return {};
  const Sample& first = found->second.front();
  const Sample& last = found->second.back();
  if (last.at - first.at < kFillWindow || last.room_bytes >= first.room_bytes) return {};
  DriveFill fill;
  fill.bytes_per_s = static_cast<double>(first.room_bytes - last.room_bytes) /
                     std::chrono::duration<double>(last.at - first.at).count();
  fill.measured = std::chrono::duration_cast<std::chrono::seconds>(last.at - first.at);
  fill.left = std::chrono::seconds(static_cast<std::int64_t>(static_cast<double>(last.room_bytes) / fill.bytes_per_s));
  return fill;
}

}  // namespace andromede::fleet
