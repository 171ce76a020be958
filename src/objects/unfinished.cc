#include "objects/unfinished.h"

#include <algorithm>

namespace andromede::objects {

Unfinished::Entry::~Entry() {
  const std::lock_guard lock(all_.mutex_);
  for (const Share& share : all_.shares_of(sender_)) leave(share.all, share.name, bytes_);
}

void Unfinished::Entry::arrived(std::uint64_t bytes) {
  if (bytes <= bytes_) return;
  const std::lock_guard lock(all_.mutex_);
  const std::uint64_t more = bytes - std::exchange(bytes_, bytes);
  for (const Share& share : all_.shares_of(sender_)) share.all[share.name].bytes += more;
}

std::array<Unfinished::Share, 3> Unfinished::shares_of(const Sender& sender) {
  const std::string& account = sender.account.value();
  return {{{accounts_, account, "this account", limits_.bodies_of_account, limits_.bytes_of_account},
           {peers_, sender.peer, "this address", limits_.bodies_of_peer, limits_.bytes_of_peer},
           {peers_of_accounts_, account + ' ' + sender.peer, "this account from this address",
            (limits_.bodies_of_account + 1) / 2, (limits_.bytes_of_account + 1) / 2}}};
}

Result<std::unique_ptr<Unfinished::Entry>> Unfinished::begin(Sender sender, std::uint64_t announced_bytes) {
  const std::uint64_t bytes = std::min(announced_bytes, kReservedAheadBytes);
  const std::lock_guard lock(mutex_);
  const auto shares = shares_of(sender);
  for (const Share& share : shares) CHECK_OK(check(share));
  for (const Share& share : shares) {
    Held& held = share.all[share.name];
    ++held.bodies;
    held.bytes += bytes;
  }
  return std::unique_ptr<Entry>(new Entry(*this, std::move(sender), bytes));
}

Status Unfinished::check(const Share& share) {
  const auto held = share.all.find(share.name);
  if (held == share.all.end()) return {};
  if (held->second.bodies >= share.most_bodies) {
    return fail(Errc::kOverloaded, std::to_string(held->second.bodies) + " uploads of " + share.what +
                                       " are under way, " + std::to_string(share.most_bodies) +
                                       " may be at once: end some, or come again later");
  }
  if (held->second.bytes >= share.most_bytes) {
    return fail(Errc::kOverloaded, "uploads of " + std::string(share.what) + " with " +
                                       std::to_string(held->second.bytes) + " bytes are under way, " +
                                       std::to_string(share.most_bytes) +
                                       " may be at once: end some, or come again later");
  }
  return {};
}

void Unfinished::leave(ByName& all, const std::string& name, std::uint64_t bytes) {
  const auto held = all.find(name);
  held->second.bytes -= bytes;
  if (--held->second.bodies == 0) all.erase(held);
}

}  // namespace andromede::objects
