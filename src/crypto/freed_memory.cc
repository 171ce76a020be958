#include "crypto/freed_memory.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>

#include "base/check.h"

namespace andromede::crypto {
namespace {

std::mutex mutex;
ByteView looked_for;  // under the mutex
std::atomic<bool> looking{false};
std::atomic<std::size_t> found{0};

}  // namespace

FreedMemory::FreedMemory(ByteView secret) {
  const std::lock_guard lock(mutex);
  CHECK(looked_for.empty() && !secret.empty(), "one secret at a time");
  looked_for = secret;
  found = 0;
  looking.store(true, std::memory_order_release);
}

FreedMemory::~FreedMemory() {
  const std::lock_guard lock(mutex);
  looking = false;
  looked_for = {};
}

std::size_t FreedMemory::seen() const { return found; }

}  // namespace andromede::crypto

// ThreadSanitizer's own operators cannot be replaced: nothing is seen in its builds.
#if !__has_feature(thread_sanitizer)
namespace andromede::crypto {
namespace {

void give_back(void* memory) noexcept {
  if (memory != nullptr && looking.load(std::memory_order_acquire)) {
    const std::lock_guard lock(mutex);
    const ByteView block(static_cast<const std::uint8_t*>(memory), ::malloc_usable_size(memory));
    if (!looked_for.empty() &&
        std::search(block.begin(), block.end(), looked_for.begin(), looked_for.end()) != block.end()) {
      ++found;
    }
  }
  std::free(memory);
}

void* take(std::size_t size, std::size_t alignment) {
  void* const memory =
      std::aligned_alloc(alignment, (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  // What an earlier owner left here is not this one's to wipe.
  std::memset(memory, 0, ::malloc_usable_size(memory));
  return memory;
}

}  // namespace
}  // namespace andromede::crypto

// The other forms of new and delete call these.
void* operator new(std::size_t size) { return andromede::crypto::take(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return andromede::crypto::take(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { andromede::crypto::give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { andromede::crypto::give_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { andromede::crypto::give_back(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { andromede::crypto::give_back(memory); }
#endif
