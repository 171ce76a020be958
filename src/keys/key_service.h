// keys::KeyService: the hierarchy root (Custody) → tenant key (an account's, wrapped by custody, in the metadata) →
// data key (one per blob, wrapped by a tenant key, beside the blob's record, which names that key by its id).
//
// A tenant key that is in the cache (tenant_key_cache.h) answers at once, on the caller's thread, without suspending.
// For any other its record is read and custody asked, on a bounded pool and once for all who wait; each waits for so
// long at most, so that a custody that hangs costs only those who need its keys, and no stop. Nothing is unwrapped at
// start-up.
//
// Thread-safe; every call may come from any event loop. Errors of all who need a tenant key: kNotFound (there is no
// such key, or not any more), kTimeout (custody did not answer in time), kOverloaded (too many wait for it), kCancelled
// (nobody waits any more), kCorrupt (what custody answered is not the key that was wrapped, or what is stored is
// damaged); the metadata's and custody's own.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/deadline_watch.h"
#include "base/ids.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "crypto/secret.h"
#include "identity/context.h"
#include "keys/custody.h"
#include "keys/tenant_key_cache.h"
#include "meta/store.h"

namespace andromede::keys {

struct KeyOptions {
  // The current keys of as many accounts as there can be, and more. Secret memory: 64 bytes each, and some hundred more
  // of ordinary memory.
  std::size_t cached_keys = 16'384;
  // How long an unwrapped key is used before custody is asked again. Generous: asking the sealed file is for nothing.
  std::chrono::milliseconds lease = std::chrono::hours(1);
  // How long custody may take.
  std::chrono::milliseconds patience{10'000};
  unsigned threads = 4;            // at once at custody
  std::size_t queued_calls = 256;  // and so many more that wait for one of these
};

// Who uses a key and for what, as errors and their log name it, and how long he waits.
struct KeyUse {
  AccountId owner;         // whose data: no other account's key is used for them; empty: the cloud's own maintenance
  AccountId caller;        // who asked; empty likewise
  std::string request_id;  // empty likewise
  BlobId blob;             // what the data key seals
  meta::Patience patience;
};

struct DataKey {
  KeyId wrapped_by;  // the tenant key
  crypto::SecretKey key;
  Bytes wrapped;
};

class KeyService {
 public:
  // `custody` is shared with threads that it keeps; the rest is borrowed and outlives the service.
  KeyService(std::shared_ptr<Custody> custody, meta::Store& store, const Clock& clock, Random& random,
             KeyOptions options = {});
  KeyService(const KeyService&) = delete;
  KeyService& operator=(const KeyService&) = delete;
  // Nobody waits for a key any more. Threads that custody keeps are left behind (base/left_behind.h).
  ~KeyService();

  // Makes and stores an account's first key, its current one, once custody has shown that it unwraps what it wrapped;
  // journaled as CreateTenantKey. kAlreadyExists when it has one, and then that one can be used. After an error that
  // leaves in doubt whether it was stored, whichever is stored can.
  Task<Status> create_tenant_key(AccountId account, const identity::Context& by);

  // What erases an account's key in the commit that closes the account. Whoever has made it calls forget().
  struct Erasure {
    KeyId key;  // none: it has none
    std::vector<meta::Expectation> expect;
    std::vector<meta::Key> erase;
  };
  Task<Result<Erasure>> erasure_of(AccountId account);
  // From now on the key is used for nothing, by this process, unless its record is still there; an unwrapping that is
  // under way included. What was opened with it stays open.
  void forget(KeyId key) { cache_->forget(key); }

  // `use` outlives the task.
  // A new random data key, wrapped by the owner's current key.
  Task<Result<DataKey>> make_data_key(const KeyUse& use);
  // kCorrupt, too: not wrapped by that key. `wrapped` outlives the task.
  Task<Result<crypto::SecretKey>> open_data_key(KeyId key, ByteView wrapped, const KeyUse& use);

 private:
  Task<Result<TenantKeyPointer>> current_key(const KeyUse& use);
  // Waits until it is unwrapped.
  Task<Result<TenantKeyPointer>> unwrapped(KeyId id, const KeyUse& use);
  // Has custody asked for it.
  Task<void> begin(TenantKeyCache::UnwrappingPointer unwrapping);
  // Ends the wait for `call`, at the latest when the patience of custody or of `patience` does.
  template <typename Answer>
  Task<Answer> wait(std::shared_ptr<SharedCall<Answer>> call, meta::Patience patience);
  Task<Result<Bytes>> wrap(std::shared_ptr<const crypto::SecretKey> key, Bytes context);

  const std::shared_ptr<Custody> custody_;
  meta::Store& store_;
  const Clock& clock_;
  Random& random_;
  const KeyOptions options_;
  const std::shared_ptr<TenantKeyCache> cache_;
  ThreadPool pool_;
  DeadlineWatch deadlines_;
};

}  // namespace andromede::keys
