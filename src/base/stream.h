// Bodies in motion: pulled from where they come, pushed to where they go, a bounded piece at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task.h"

namespace andromede {

// One call at a time.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // The next bytes, at most 1 MiB; empty at the end. The view is valid until the next call. An error ends the stream;
  // it is passed through unchanged to whoever renders it.
  virtual Task<Result<ByteView>> read() = 0;
  // Bytes that read() will give in all, where the sender announced it.
  [[nodiscard]] virtual std::optional<std::uint64_t> announced_size_bytes() const = 0;
  // After the end: the value of the checksum that the sender promised in a trailer (decoded bytes), if one came.
  [[nodiscard]] virtual std::optional<Bytes> trailing_checksum() const { return std::nullopt; }
};

// One call at a time.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // Takes all of `data`, suspending while the receiver is behind. kCancelled: the receiver is gone.
  virtual Task<Status> write(ByteView data) = 0;
};

}  // namespace andromede
