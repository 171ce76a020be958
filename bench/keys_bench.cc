// What a data key costs whose tenant key is unwrapped already, as in every PUT and GET, beside the key wrap by itself.
#include <benchmark/benchmark.h>

#include <map>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "keys/key_service.h"
#include "meta/test_unsupported_store.h"

namespace {

using namespace andromede;

// Wraps by the identity: what custody costs is not measured.
class PlainCustody final : public keys::Custody {
 public:
  Result<Bytes> wrap(const crypto::SecretKey& key, ByteView, Deadline) override { return to_bytes(key.bytes()); }
  Result<crypto::SecretKey> unwrap(ByteView wrapped, ByteView, Deadline) override {
    return crypto::SecretKey::from_bytes(wrapped);
  }
};

class MapStore final : public meta::UnsupportedStore {
 public:
  Task<Result<meta::CommitInfo>> commit(meta::Commit change, Deadline) override {
    for (meta::Put& put : change.put) records_[put.key.bytes] = std::move(put.value);
    co_return meta::CommitInfo{};
  }
  Task<Result<std::optional<std::string>>> get(meta::Partition, meta::Key key, Deadline) override {
    const auto found = records_.find(key.bytes);
    co_return found == records_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  std::map<std::string, std::string> records_;
};

struct Keys {
  Keys() {
    use.owner = use.caller = AccountId("000000000001");
    use.request_id = "0123456789ABCDEF";
    CHECK(sync_wait(service.create_tenant_key(use.owner, identity::operator_context("bench"))).has_value(),
          "a key is made");
    CHECK(sync_wait(service.make_data_key(use)).has_value(), "it is unwrapped");
  }
  SystemClock clock;
  SystemRandom random;
  MapStore store;
  keys::KeyService service{std::make_shared<PlainCustody>(), store, clock, random};
  keys::KeyUse use;
};

Keys& all() {
  static Keys keys;
  return keys;
}

void wrap_alone(benchmark::State& state) {
  const crypto::SecretKey tenant = crypto::SecretKey::random(all().random);
  for (auto _ : state) {
    const crypto::SecretKey key = crypto::SecretKey::random(all().random);
    benchmark::DoNotOptimize(crypto::wrap_key(tenant, key));
  }
}

void unwrap_alone(benchmark::State& state) {
  const crypto::SecretKey tenant = crypto::SecretKey::random(all().random);
  const Bytes wrapped = crypto::wrap_key(tenant, tenant);
  for (auto _ : state) benchmark::DoNotOptimize(crypto::unwrap_key(tenant, wrapped));
}

// Many in one task, as on an event loop.
Task<void> make_some(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(co_await all().service.make_data_key(all().use));
}
Task<void> open_some(benchmark::State& state, const keys::DataKey& key) {
  for (auto _ : state) {
    const keys::KeyUse use = all().use;
    benchmark::DoNotOptimize(co_await all().service.open_data_key(key.wrapped_by, key.wrapped, use));
  }
}

void make_data_key(benchmark::State& state) { sync_wait(make_some(state)); }

void open_data_key(benchmark::State& state) {
  const auto key = sync_wait(all().service.make_data_key(all().use));
  sync_wait(open_some(state, *key));
}

BENCHMARK(wrap_alone);
BENCHMARK(make_data_key)->ThreadRange(1, 2);
BENCHMARK(unwrap_alone);
BENCHMARK(open_data_key)->ThreadRange(1, 2);

}  // namespace

BENCHMARK_MAIN();
