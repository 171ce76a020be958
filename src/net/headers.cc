#include <openssl/crypto.h>

#include "net/http.h"
#include "net/names.h"

namespace andromede::net {

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Header& header : list_) {
    if (same_name(header.name, name)) return header.value;
  }
  return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
  std::size_t count = 0;
  for (const Header& header : list_) count += same_name(header.name, name) ? 1 : 0;
  return count;
}

void Headers::wipe() noexcept {
  for (Header& header : list_) {
    // Up to the capacity: what was longer before is wiped too.
    header.value.resize(header.value.capacity());
    OPENSSL_cleanse(header.value.data(), header.value.size());
  }
  list_.clear();
}

}  // namespace andromede::net
