// A blob::Store that knows no drive: objects of a bounded size in named pools, a placement class a pool, as an engine
// on RADOS keeps them; in memory. For tests only. Thread-safe.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "blob/store.h"

namespace andromede::objects {

class PoolStore final : public blob::Store {
 public:
  static constexpr std::size_t kObjectBytes = 1U << 20;

  using blob::Store::open_reader;
  Task<Result<std::unique_ptr<blob::Writer>>> open_writer(BlobId id, PolicyId policy, std::uint64_t size_bytes,
                                                          Deadline) override {
    co_return std::make_unique<PoolWriter>(*this, id, std::move(policy), size_bytes);
  }
  Task<Result<std::unique_ptr<blob::Reader>>> open_reader(blob::BlobRef ref, std::uint64_t offset, std::uint64_t length,
                                                          Deadline, blob::Suspects) override {
    if (offset > ref.size_bytes || length > ref.size_bytes - offset) {
      co_return fail(Errc::kInvalidArgument, "the range ends behind the blob");
    }
    CO_TRY(const std::vector<std::string> names, names_of(ref));
    Objects objects;
    const std::lock_guard lock(mutex_);
    for (const std::string& name : names) {
      const auto found = objects_.find(name);
      if (found == objects_.end()) co_return fail(Errc::kNotFound, "no object " + name);
      objects.push_back(found->second);
    }
    co_return std::make_unique<PoolReader>(std::move(objects), offset, offset + length);
  }
  // Its replicas are the pool's own business.
  [[nodiscard]] std::vector<blob::Suspects> suspects(const blob::BlobRef&, blob::Suspects known,
                                                     std::size_t) const override {
    return {known};
  }
  void distrust(const blob::BlobRef&, blob::Suspects) override {}
  void remove(blob::BlobRef ref) override {
    const auto names = names_of(ref);
    if (!names) return;
    const std::lock_guard lock(mutex_);
    for (const std::string& name : *names) objects_.erase(name);
  }

  [[nodiscard]] std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return objects_.size();
  }
  // How many lie in the pool of a placement class.
  [[nodiscard]] std::size_t count(const PolicyId& policy) const {
    const std::lock_guard lock(mutex_);
    const std::string prefix = policy.value() + "/";
    return static_cast<std::size_t>(std::count_if(
        objects_.begin(), objects_.end(), [&](const auto& object) { return object.first.starts_with(prefix); }));
  }
  // Changes the last byte of each.
  void spoil() {
    const std::lock_guard lock(mutex_);
    for (auto& [name, object] : objects_) {
      Bytes other = *object;
      if (!other.empty()) other.back() ^= 1;
      object = std::make_shared<const Bytes>(std::move(other));
    }
  }

 private:
  using Objects = std::vector<std::shared_ptr<const Bytes>>;

  // A locator: 'P', the pool's name, how many objects.
  static Bytes locator(const PolicyId& policy, std::size_t objects) {
    Bytes out;
    ByteWriter writer(out);
    writer.u8('P');
    writer.text(policy.value());
    writer.varint(objects);
    return out;
  }
  static Result<std::vector<std::string>> names_of(const blob::BlobRef& ref) {
    ByteReader reader(ref.locator);
    if (reader.u8() != 'P') return fail(Errc::kUnsupported, "another engine's locator");
    const std::string pool(reader.text());
    const std::uint64_t objects = reader.varint();
    CHECK_OK(reader.finish("locator"));
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < objects; ++i) {
      names.push_back(pool + "/" + ref.id.to_string() + "." + std::to_string(i));
    }
    return names;
  }

  class PoolWriter final : public blob::Writer {
   public:
    PoolWriter(PoolStore& store, BlobId id, PolicyId policy, std::uint64_t announced)
        : store_(store),
          announced_(announced),
          ref_{.id = id, .size_bytes = 0, .policy = std::move(policy), .locator = {}} {}
    Task<Status> write(ByteView data) override {
      if (data.size() > announced_ - bytes_.size()) co_return fail(Errc::kInvalidArgument, "more than announced");
      bytes_.insert(bytes_.end(), data.begin(), data.end());
      co_return Status{};
    }
    Task<Result<blob::BlobRef>> finish() override {
      ref_.size_bytes = bytes_.size();
      ref_.locator = locator(ref_.policy, (bytes_.size() + kObjectBytes - 1) / kObjectBytes);
      CO_TRY(const std::vector<std::string> names, names_of(ref_));
      ByteView rest = bytes_;
      const std::lock_guard lock(store_.mutex_);
      for (const std::string& name : names) {
        const ByteView object = rest.first(std::min(rest.size(), kObjectBytes));
        store_.objects_[name] = std::make_shared<const Bytes>(to_bytes(object));
        rest = rest.subspan(object.size());
      }
      co_return ref_;
    }

   private:
    PoolStore& store_;
    const std::uint64_t announced_;
    blob::BlobRef ref_;
    Bytes bytes_;
  };

  class PoolReader final : public blob::Reader {
   public:
    PoolReader(Objects objects, std::uint64_t begin, std::uint64_t end)
        : objects_(std::move(objects)), at_(begin), end_(end) {}
    Task<Result<ByteView>> read() override {
      if (at_ == end_) co_return ByteView{};
      const std::size_t begin = at_ % kObjectBytes;
      const std::uint64_t most = std::min({end_ - at_, std::uint64_t{kObjectBytes} - begin, most_});
      const ByteView view = ByteView(*objects_[at_ / kObjectBytes]).subspan(begin, static_cast<std::size_t>(most));
      at_ += view.size();
      co_return view;
    }
    void read_at_most(std::uint64_t bytes) override { most_ = std::max<std::uint64_t>(bytes, 1); }
    void rest_at(std::uint64_t offset) override { at_ = offset; }

   private:
    const Objects objects_;
    std::uint64_t at_;
    const std::uint64_t end_;
    std::uint64_t most_ = kObjectBytes;
  };

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Bytes>> objects_;
};

}  // namespace andromede::objects
