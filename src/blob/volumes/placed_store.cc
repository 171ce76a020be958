#include "blob/volumes/placed_store.h"

#include <bit>
#include <utility>

#include "base/log.h"

namespace andromede::blob {
namespace {

class PlacedStore final : public Store {
 public:
  PlacedStore(VolumeStore& volumes, Placer& placer) : volumes_(volumes), placer_(placer) {}

  using Store::open_reader;
  Task<Result<std::unique_ptr<Writer>>> open_writer(BlobId id, PolicyId policy, std::uint64_t size_bytes,
                                                    Deadline deadline) override {
    CO_TRY(Target target, placer_.place(policy, size_bytes));
    co_return co_await volumes_.open_writer(id, std::move(target), size_bytes, deadline);
  }
  Task<Result<std::unique_ptr<Reader>>> open_reader(BlobRef ref, std::uint64_t offset, std::uint64_t length,
                                                    Deadline deadline, Suspects without) override {
    CO_TRY(ShardedBlob blob, sharded(ref));
    co_return co_await volumes_.open_reader(std::move(blob), offset, length, deadline,
                                            static_cast<ShardSet>(without.parts));
  }
  [[nodiscard]] std::vector<Suspects> suspects(const BlobRef& ref, Suspects known, std::size_t most) const override;
  void distrust(const BlobRef& ref, Suspects liars) override {
    if (const auto blob = read(ref)) volumes_.distrust(*blob, static_cast<ShardSet>(liars.parts));
  }
  void remove(BlobRef ref) override {
    if (const auto blob = read(ref)) volumes_.remove(*blob);
  }

 private:
  static Result<ShardedBlob> read(const BlobRef& ref) {
    auto blob = sharded(ref);
    if (!blob) log_error("a blob cannot be found", {{"error", blob.error().describe()}});
    return blob;
  }

  VolumeStore& volumes_;
  Placer& placer_;
};

// Shards that have no place are left out of every read already.
std::vector<Suspects> PlacedStore::suspects(const BlobRef& ref, Suspects known, std::size_t most) const {
  std::vector<Suspects> sets{known};
  const auto blob = read(ref);
  if (!blob) return sets;
  std::vector<std::uint64_t> bits;
  for (unsigned i = 0; i < blob->shards.size(); ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    if (!blob->shards[i].drive.is_none() && (known.parts & bit) == 0) bits.push_back(bit);
  }
  // Each set is made longer by bits behind its last, so that none comes twice.
  std::vector<std::size_t> next{0};
  for (std::size_t at = 0; at < sets.size() && sets.size() < most; ++at) {
    if (std::popcount(sets[at].parts) >= blob->code.parity) break;
    for (std::size_t bit = next[at]; bit < bits.size() && sets.size() < most; ++bit) {
      sets.push_back({sets[at].parts | bits[bit]});
      next.push_back(bit + 1);
    }
  }
  return sets;
}

}  // namespace

std::unique_ptr<Store> make_placed_store(VolumeStore& volumes, Placer& placer) {
  return std::make_unique<PlacedStore>(volumes, placer);
}

}  // namespace andromede::blob
