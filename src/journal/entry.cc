#include "base/check.h"
#include "journal/journal.h"

namespace andromede::journal {
namespace {

constexpr std::string_view kMagic = "AJE1";
constexpr std::size_t kHashBytes = 32;

std::string named(std::uint64_t sequence) { return "journal entry " + std::to_string(sequence); }

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

std::size_t encoded_size(std::size_t event_bytes) {
  std::size_t size = kMagic.size() + sizeof(std::uint64_t) + 2 * kHashBytes + event_bytes + 1;
  for (std::size_t rest = event_bytes; rest >= 0x80; rest >>= 7) ++size;
  return size;
}

// The bytes of an entry, its hash included; `hash` is set. One buffer, because a commit waits for this.
std::string encode_entry(std::uint64_t sequence, const crypto::Sha256Digest& previous, std::string_view event,
                         crypto::Sha256Digest& hash) {
  CHECK(event.size() <= kMaxEventBytes, "render() keeps events within their bound");
  std::string out;
  out.reserve(encoded_size(event.size()));
  out += kMagic;
  for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(sequence >> shift);
  out += as_text(previous);
  append_varint(out, event.size());
  out += event;
  hash = crypto::sha256(as_bytes(out));
  out += as_text(hash);
  return out;
}

}  // namespace

std::string encode(const Entry& entry) {
  crypto::Sha256Digest hash;
  return encode_entry(entry.sequence, entry.previous, entry.event, hash);
}

Result<Entry> decode_entry(ByteView bytes) {
  ByteReader reader(bytes);
  const ByteView magic = reader.raw(kMagic.size());
  Entry entry;
  entry.sequence = reader.u64();
  const ByteView previous = reader.raw(kHashBytes);
  const std::string_view event = reader.text();
  const ByteView hash = reader.raw(kHashBytes);
  CHECK_OK(reader.finish("journal entry"));
  if (as_text(magic) != kMagic) return fail(Errc::kCorrupt, "not a journal entry of version 1");
  if (event.size() > kMaxEventBytes) return fail(Errc::kCorrupt, named(entry.sequence) + ": its event is too large");
  entry.hash = crypto::sha256(bytes.first(bytes.size() - kHashBytes));
  if (!std::equal(hash.begin(), hash.end(), entry.hash.begin())) {
    return fail(Errc::kCorrupt, named(entry.sequence) + ": its hash does not match its content");
  }
  std::copy(previous.begin(), previous.end(), entry.previous.begin());
  entry.event = event;
  // A size may be written with padding zeros in LEB128; an entry has one encoding only.
  if (bytes.size() != encoded_size(event.size())) {
    return fail(Errc::kCorrupt, named(entry.sequence) + ": its event's size is not encoded in its shortest form");
  }
  return entry;
}

Status Sealer::restore(std::uint64_t last_sequence, ByteView last_entry) {
  if (last_sequence == 0 && last_entry.empty()) {
    last_ = {};
    return {};
  }
  TRY(const Entry entry, decode_entry(last_entry));
  if (entry.sequence != last_sequence) {
    return fail(Errc::kCorrupt, named(last_sequence) + " says that it is entry " + std::to_string(entry.sequence));
  }
  last_ = entry.hash;
  return {};
}

std::string Sealer::seal(std::uint64_t sequence, std::string_view event) {
  const crypto::Sha256Digest previous = last_;
  return encode_entry(sequence, previous, event, last_);
}

}  // namespace andromede::journal
