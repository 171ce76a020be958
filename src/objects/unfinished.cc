#include "objects/unfinished.h"

#include <algorithm>

namespace andromede::objects {

Unfinished::Entry::~Entry() {
  const std::lock_guard lock(all_.mutex_);
  leave(all_.accounts_, sender_.account.value(), bytes_);
  leave(all_.peers_, sender_.peer, bytes_);
}

void Unfinished::Entry::arrived(std::uint64_t bytes) {
  if (bytes <= bytes_) return;
  const std::lock_guard lock(all_.mutex_);
  const std::uint64_t more = bytes - std::exchange(bytes_, bytes);
  all_.accounts_[sender_.account.value()].bytes += more;
  all_.peers_[sender_.peer].bytes += more;
}

Result<std::unique_ptr<Unfinished::Entry>> Unfinished::begin(Sender sender, std::uint64_t announced_bytes) {
  const std::uint64_t bytes = std::min(announced_bytes, kReservedAheadBytes);
  const std::lock_guard lock(mutex_);
  const std::string& account = sender.account.value();
  CHECK_OK(check(accounts_, account, "this account", limits_.bodies_of_account, limits_.bytes_of_account));
  CHECK_OK(check(peers_, sender.peer, "this address", limits_.bodies_of_peer, limits_.bytes_of_peer));
  for (Held* held : {&accounts_[account], &peers_[sender.peer]}) {
    ++held->bodies;
    held->bytes += bytes;
  }
  return std::unique_ptr<Entry>(new Entry(*this, std::move(sender), bytes));
}

Status Unfinished::check(const ByName& all, const std::string& name, const char* what, std::uint64_t most_bodies,
                         std::uint64_t most_bytes) {
  const auto held = all.find(name);
  if (held == all.end()) return {};
  if (held->second.bodies >= most_bodies) {
    return fail(Errc::kOverloaded, std::to_string(held->second.bodies) + " uploads of " + what + " are under way, " +
                                       std::to_string(most_bodies) + " may be at once: end some, or come again later");
  }
  if (held->second.bytes >= most_bytes) {
    return fail(Errc::kOverloaded, "uploads of " + std::string(what) + " with " + std::to_string(held->second.bytes) +
                                       " bytes are under way, " + std::to_string(most_bytes) +
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
