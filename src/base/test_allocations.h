// For tests: counts what the calling thread asks of operator new, so that a test can bound what an input costs without
// asking a clock. To be included by one file of a test binary: it replaces the operators of all of it.
//
// Under a sanitizer, which brings its own, nothing is counted: see kCountsAllocations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace andromede::testing {

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kCountsAllocations = false;
#else
inline constexpr bool kCountsAllocations = true;
#endif

// Since it was made: all bytes that the thread allocated, whether or not they were freed since.
class AllocationCount {
 public:
  AllocationCount() : bytes_before_(total_bytes()), calls_before_(total_calls()) {}
  [[nodiscard]] std::uint64_t bytes() const { return total_bytes() - bytes_before_; }
  [[nodiscard]] std::uint64_t calls() const { return total_calls() - calls_before_; }

  static std::uint64_t& total_bytes() {
    thread_local std::uint64_t bytes = 0;
    return bytes;
  }
  static std::uint64_t& total_calls() {
    thread_local std::uint64_t calls = 0;
    return calls;
  }

 private:
  const std::uint64_t bytes_before_;
  const std::uint64_t calls_before_;
};

inline void* counted_allocate(std::size_t size, std::size_t alignment) {
  AllocationCount::total_bytes() += size;
  ++AllocationCount::total_calls();
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* const memory = alignment <= alignof(std::max_align_t) ? std::malloc(size == 0 ? 1 : size)
                                                              : std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace andromede::testing

#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
// NOLINTBEGIN(misc-definitions-in-headers): one file of a binary includes this.
void* operator new(std::size_t size) { return andromede::testing::counted_allocate(size, 1); }
void* operator new[](std::size_t size) { return andromede::testing::counted_allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return andromede::testing::counted_allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return andromede::testing::counted_allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
// NOLINTEND(misc-definitions-in-headers)
#endif
