#include "meta/rocksdb/fanout.h"

#include "base/pool.h"

namespace andromede::meta {

Fanout::~Fanout() {
  for (const auto& helper : helpers_) {
    helper->work = nullptr;
    helper->start.release();
    helper->thread.join();
  }
}

void Fanout::run(std::size_t count, const std::function<void(std::size_t)>& work) {
  if (count == 0) return;
  while (helpers_.size() + 1 < count) {
    auto helper = std::make_unique<Helper>();
    helper->thread = std::thread([self = helper.get(), index = helpers_.size() + 1] {
      name_thread("mirror-" + std::to_string(index));
      for (;;) {
        self->start.acquire();
        if (self->work == nullptr) return;
        (*self->work)(index);
        self->done->count_down();
      }
    });
    helpers_.push_back(std::move(helper));
  }
  std::latch done(static_cast<std::ptrdiff_t>(count - 1));
  for (std::size_t i = 1; i < count; ++i) {
    helpers_[i - 1]->work = &work;
    helpers_[i - 1]->done = &done;
    helpers_[i - 1]->start.release();
  }
  work(0);
  done.wait();
}

}  // namespace andromede::meta
