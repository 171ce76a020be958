#include "crypto/secret_memory.h"

#include <openssl/crypto.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/check.h"
#include "base/log.h"

namespace andromede::crypto {
namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;
static_assert(kSecretSlotBytes % 64 == 0 && kSecretBlockBytes % 64 == 0);

class Slots {
 public:
  explicit Slots(std::size_t slot_bytes) : slot_bytes_(slot_bytes) {}

  std::uint8_t* take() {
    const std::lock_guard lock(mutex_);
    if (free_ == nullptr) add_chunk();
    std::uint8_t* const slot = free_;
    std::memcpy(&free_, slot, sizeof free_);
    std::memset(slot, 0, sizeof free_);
    return slot;
  }

  void give_back(std::uint8_t* slot) noexcept {
    OPENSSL_cleanse(slot, slot_bytes_);
    const std::lock_guard lock(mutex_);
    std::memcpy(slot, &free_, sizeof free_);
    free_ = slot;
  }

 private:
  void add_chunk() {
    void* const memory = ::mmap(nullptr, kChunkBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && ::madvise(memory, kChunkBytes, MADV_DONTDUMP) == 0,
          "there is memory for secrets that no core dump holds");
    if (::mlock(memory, kChunkBytes) != 0 && !told_) {
      told_ = true;
      log_warning("secrets may be swapped to disk: raise the limit of locked memory (ulimit -l, LimitMEMLOCK)",
                  {{"error", std::strerror(errno)}});
    }
    auto* const begin = static_cast<std::uint8_t*>(memory);
    for (std::size_t at = kChunkBytes / slot_bytes_ * slot_bytes_; at > 0; at -= slot_bytes_) {
      std::uint8_t* const slot = begin + at - slot_bytes_;
      std::memcpy(slot, &free_, sizeof free_);
      free_ = slot;
    }
  }

  const std::size_t slot_bytes_;
  std::mutex mutex_;
  std::uint8_t* free_ = nullptr;  // each free slot begins with the address of the next
  bool told_ = false;
};

// Never destroyed: secrets of static life are given back after everything else.
Slots& slots() {
  static auto* const all = new Slots(kSecretSlotBytes);
  return *all;
}
Slots& blocks() {
  static auto* const all = new Slots(kSecretBlockBytes);
  return *all;
}

}  // namespace

std::uint8_t* take_secret_slot() { return slots().take(); }

void give_back_secret_slot(std::uint8_t* slot) noexcept {
  if (slot != nullptr) slots().give_back(slot);
}

std::uint8_t* take_secret_block() { return blocks().take(); }

void give_back_secret_block(std::uint8_t* block) noexcept {
  if (block != nullptr) blocks().give_back(block);
}

}  // namespace andromede::crypto
