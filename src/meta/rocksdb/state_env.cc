#include "meta/rocksdb/state_env.h"

#include <rocksdb/file_system.h>

#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace andromede::meta {
namespace {

// The states that are open in this process. Never destroyed: a thread that was left behind may use it yet.
struct OpenStates {
  static OpenStates& get() {
    static OpenStates* const all = new OpenStates;
    return *all;
  }
  std::mutex mutex;
  std::set<std::string> locks;  // under mutex
};

struct Lock final : rocksdb::FileLock {
  explicit Lock(std::string locked) : path(std::move(locked)) {}
  const std::string path;
};

class StateFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit StateFileSystem(std::function<void()> on_step)
      : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()), on_step_(std::move(on_step)) {}
  [[nodiscard]] const char* Name() const override { return "AndromedeState"; }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* context) override {
    return stepped(target()->NewSequentialFile(path, options, file, context));
  }
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* context) override {
    return stepped(target()->NewRandomAccessFile(path, options, file, context));
  }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* context) override {
    return stepped(target()->NewWritableFile(path, options, file, context));
  }
  rocksdb::IOStatus LockFile(const std::string& path, const rocksdb::IOOptions& /*options*/, rocksdb::FileLock** lock,
                             rocksdb::IODebugContext* /*context*/) override {
    OpenStates& open = OpenStates::get();
    const std::lock_guard guard(open.mutex);
    if (!open.locks.insert(path).second) return rocksdb::IOStatus::Busy(path, "is open in this process");
    *lock = new Lock(path);
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus UnlockFile(rocksdb::FileLock* lock, const rocksdb::IOOptions& /*options*/,
                               rocksdb::IODebugContext* /*context*/) override {
    const std::unique_ptr<Lock> held(static_cast<Lock*>(lock));
    OpenStates& open = OpenStates::get();
    const std::lock_guard guard(open.mutex);
    open.locks.erase(held->path);
    return rocksdb::IOStatus::OK();
  }

 private:
  rocksdb::IOStatus stepped(rocksdb::IOStatus done) const {
    if (on_step_) on_step_();
    return done;
  }
  const std::function<void()> on_step_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> make_state_env(std::function<void()> on_step) {
  return rocksdb::NewCompositeEnv(std::make_shared<StateFileSystem>(std::move(on_step)));
}

}  // namespace andromede::meta
