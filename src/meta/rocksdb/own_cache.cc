#include "meta/rocksdb/own_cache.h"

#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "base/random.h"

namespace andromede::meta {
namespace {

class OwnCache final : public rocksdb::Cache {
 public:
  explicit OwnCache(std::shared_ptr<rocksdb::Cache> shared) : shared_(std::move(shared)) {
    // Random, and known to no drive: names are chosen by whoever writes the tables.
    SystemRandom().fill(mask_);
  }

  [[nodiscard]] const char* Name() const override { return "OwnCache"; }
  rocksdb::Status Insert(const rocksdb::Slice& key, void* value, std::size_t charge, DeleterFn deleter, Handle** handle,
                         Priority priority) override {
    return shared_->Insert(Masked(*this, key).slice(), value, charge, deleter, handle, priority);
  }
  rocksdb::Status Insert(const rocksdb::Slice& key, void* value, const CacheItemHelper* helper, std::size_t charge,
                         Handle** handle, Priority priority) override {
    return shared_->Insert(Masked(*this, key).slice(), value, helper, charge, handle, priority);
  }
  Handle* Lookup(const rocksdb::Slice& key, rocksdb::Statistics* statistics) override {
    return shared_->Lookup(Masked(*this, key).slice(), statistics);
  }
  Handle* Lookup(const rocksdb::Slice& key, const CacheItemHelper* helper, const CreateCallback& create,
                 Priority priority, bool wait, rocksdb::Statistics* statistics) override {
    return shared_->Lookup(Masked(*this, key).slice(), helper, create, priority, wait, statistics);
  }
  void Erase(const rocksdb::Slice& key) override { shared_->Erase(Masked(*this, key).slice()); }

  bool Ref(Handle* handle) override { return shared_->Ref(handle); }
  bool Release(Handle* handle, bool erase_if_last) override { return shared_->Release(handle, erase_if_last); }
  bool Release(Handle* handle, bool useful, bool erase_if_last) override {
    return shared_->Release(handle, useful, erase_if_last);
  }
  bool IsReady(Handle* handle) override { return shared_->IsReady(handle); }
  void Wait(Handle* handle) override { shared_->Wait(handle); }
  void WaitAll(std::vector<Handle*>& handles) override { shared_->WaitAll(handles); }
  void* Value(Handle* handle) override { return shared_->Value(handle); }
  std::uint64_t NewId() override { return shared_->NewId(); }
  void SetCapacity(std::size_t bytes) override { shared_->SetCapacity(bytes); }
  void SetStrictCapacityLimit(bool strict) override { shared_->SetStrictCapacityLimit(strict); }
  [[nodiscard]] bool HasStrictCapacityLimit() const override { return shared_->HasStrictCapacityLimit(); }
  [[nodiscard]] std::size_t GetCapacity() const override { return shared_->GetCapacity(); }
  [[nodiscard]] std::size_t GetUsage() const override { return shared_->GetUsage(); }
  [[nodiscard]] std::size_t GetUsage(Handle* handle) const override { return shared_->GetUsage(handle); }
  [[nodiscard]] std::size_t GetOccupancyCount() const override { return shared_->GetOccupancyCount(); }
  [[nodiscard]] std::size_t GetTableAddressCount() const override { return shared_->GetTableAddressCount(); }
  [[nodiscard]] std::size_t GetPinnedUsage() const override { return shared_->GetPinnedUsage(); }
  [[nodiscard]] std::size_t GetCharge(Handle* handle) const override { return shared_->GetCharge(handle); }
  [[nodiscard]] DeleterFn GetDeleter(Handle* handle) const override { return shared_->GetDeleter(handle); }
  void ApplyToAllEntries(const std::function<void(const rocksdb::Slice&, void*, std::size_t, DeleterFn)>& callback,
                         const ApplyToAllEntriesOptions& options) override {
    shared_->ApplyToAllEntries(callback, options);
  }
  void EraseUnRefEntries() override { shared_->EraseUnRefEntries(); }
  [[nodiscard]] std::string GetPrintableOptions() const override { return shared_->GetPrintableOptions(); }

 private:
  static constexpr std::size_t kMaskBytes = 16;  // as long as RocksDB's names

  // A name under the mask, as long as before: a cache may take names of one length only.
  class Masked {
   public:
    Masked(const OwnCache& cache, const rocksdb::Slice& key) {
      if (key.size() > bytes_.size()) longer_.assign(key.data(), key.size());
      char* const at = longer_.empty() ? bytes_.data() : longer_.data();
      if (longer_.empty()) std::memcpy(at, key.data(), key.size());
      for (std::size_t i = 0; i < key.size(); ++i) at[i] = static_cast<char>(at[i] ^ cache.mask_[i % kMaskBytes]);
      slice_ = rocksdb::Slice(at, key.size());
    }
    Masked(const Masked&) = delete;
    Masked& operator=(const Masked&) = delete;
    [[nodiscard]] const rocksdb::Slice& slice() const { return slice_; }

   private:
    std::array<char, 32> bytes_{};
    std::string longer_;
    rocksdb::Slice slice_;
  };

  const std::shared_ptr<rocksdb::Cache> shared_;
  std::array<std::uint8_t, kMaskBytes> mask_{};
};

}  // namespace

std::shared_ptr<rocksdb::Cache> make_own_cache(std::shared_ptr<rocksdb::Cache> shared) {
  if (shared == nullptr) return nullptr;
  return std::make_shared<OwnCache>(std::move(shared));
}

}  // namespace andromede::meta
