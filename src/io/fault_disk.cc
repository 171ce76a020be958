#include "io/fault_disk.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "base/check.h"
#include "base/random.h"

namespace andromede::io {
namespace {

constexpr std::size_t kSectorBytes = 512;
constexpr std::uint64_t kUnlimitedBytes = 1ULL << 40;  // what space() reports without a capacity
constexpr std::size_t kOps = static_cast<std::size_t>(DiskOp::kSyncFolder) + 1;

using Page = std::array<std::uint8_t, kPageBytes>;

// One change of a file's content, as it was asked for.
struct Change {
  enum class Kind { kWrite, kTruncate, kPunch, kAllocate, kReserve };
  Kind kind;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  Bytes data;  // of a write
};

// A file's bytes, sparse. A page that is absent is a hole; a null one is allocated and reads as zeros.
class Content {
 public:
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t allocated() const { return pages_.size() * kPageBytes; }

  [[nodiscard]] std::size_t read(std::uint64_t offset, MutableByteView out) const {
    if (offset >= size_) return 0;
    const std::size_t count = std::min<std::uint64_t>(out.size(), size_ - offset);
    for (std::size_t done = 0; done < count;) {
      const std::size_t in_page = (offset + done) % kPageBytes;
      const std::size_t some = std::min(count - done, kPageBytes - in_page);
      const auto page = pages_.find((offset + done) / kPageBytes);
      if (page == pages_.end() || !page->second) {
        std::memset(out.data() + done, 0, some);
      } else {
        std::memcpy(out.data() + done, page->second->data() + in_page, some);
      }
      done += some;
    }
    return count;
  }

  void apply(const Change& change) {
    switch (change.kind) {
      case Change::Kind::kWrite:
        return write(change.offset, change.data);
      case Change::Kind::kTruncate:
        return truncate(change.length);
      case Change::Kind::kPunch:
        return punch(change.offset, change.length);
      case Change::Kind::kAllocate:
        return allocate(change.offset, change.length);
      case Change::Kind::kReserve:
        return reserve(change.length);
    }
  }

  void write(std::uint64_t offset, ByteView data) {
    for (std::size_t done = 0; done < data.size();) {
      const std::size_t in_page = (offset + done) % kPageBytes;
      const std::size_t some = std::min(data.size() - done, kPageBytes - in_page);
      std::memcpy(own_page((offset + done) / kPageBytes).data() + in_page, data.data() + done, some);
      done += some;
    }
    if (!data.empty()) size_ = std::max(size_, offset + data.size());
  }

  // Blocks that `change` needs beyond those that are there, in bytes.
  [[nodiscard]] std::uint64_t growth(const Change& change) const {
    const bool shrinks = change.kind == Change::Kind::kTruncate || change.kind == Change::Kind::kPunch;
    if (shrinks || change.length == 0) return 0;
    const std::uint64_t first = change.offset / kPageBytes;
    const std::uint64_t end = (change.offset + change.length - 1) / kPageBytes + 1;
    const auto there = std::distance(pages_.lower_bound(first), pages_.lower_bound(end));
    return (end - first - static_cast<std::uint64_t>(there)) * kPageBytes;
  }

  void flip(std::uint64_t offset, unsigned bit) {
    own_page(offset / kPageBytes)[offset % kPageBytes] ^= static_cast<std::uint8_t>(1U << (bit % 8));
  }

 private:
  void truncate(std::uint64_t size) {
    if (size < size_) {
      const std::uint64_t rest = (kPageBytes - size % kPageBytes) % kPageBytes;
      zero(size, rest);
      pages_.erase(pages_.lower_bound((size + kPageBytes - 1) / kPageBytes), pages_.end());
    }
    size_ = size;
  }

  void punch(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t end = offset + length;
    const std::uint64_t first_page = (offset + kPageBytes - 1) / kPageBytes;
    const std::uint64_t end_page = end / kPageBytes;
    if (first_page > end_page) return zero(offset, length);
    zero(offset, first_page * kPageBytes - offset);
    zero(end_page * kPageBytes, end - end_page * kPageBytes);
    pages_.erase(pages_.lower_bound(first_page), pages_.lower_bound(end_page));
  }

  void allocate(std::uint64_t offset, std::uint64_t length) {
    if (length == 0) return;
    for (std::uint64_t page = offset / kPageBytes; page <= (offset + length - 1) / kPageBytes; ++page) {
      pages_.try_emplace(page, nullptr);
    }
    size_ = std::max(size_, offset + length);
  }

  // Blocks that the file holds beyond its end too.
  void reserve(std::uint64_t length) {
    const std::uint64_t size = size_;
    allocate(0, length);
    size_ = size;
  }

  // Within one page.
  void zero(std::uint64_t offset, std::uint64_t length) {
    const auto page = pages_.find(offset / kPageBytes);
    if (length == 0 || page == pages_.end() || !page->second) return;
    std::memset(own_page(offset / kPageBytes).data() + offset % kPageBytes, 0, length);
  }

  // A crashed drive shares its pages with the one that it came from until either changes them.
  Page& own_page(std::uint64_t index) {
    std::shared_ptr<Page>& page = pages_[index];
    if (!page) {
      page = std::make_shared<Page>(Page{});
    } else if (page.use_count() > 1) {
      page = std::make_shared<Page>(*page);
    }
    return *page;
  }

  std::map<std::uint64_t, std::shared_ptr<Page>> pages_;
  std::uint64_t size_ = 0;
};

struct Node;

// What a name has meant since its folder was last synced: the durable meaning first, today's last; null: nothing.
using Meanings = std::vector<std::shared_ptr<Node>>;

struct Node {
  explicit Node(bool is_folder) : folder(is_folder) {}
  const bool folder;
  // Of a file:
  Content current;
  Content durable;
  std::vector<Change> unsynced;
  // Of a folder:
  std::map<std::string, Meanings> names;

  void change(Change what) {
    current.apply(what);
    unsynced.push_back(std::move(what));
  }
  [[nodiscard]] std::shared_ptr<Node> find(const std::string& name) const {
    const auto entry = names.find(name);
    return entry == names.end() ? nullptr : entry->second.back();
  }
  void set(const std::string& name, std::shared_ptr<Node> node) {
    Meanings& meanings = names[name];
    if (meanings.empty()) meanings.push_back(nullptr);
    meanings.push_back(std::move(node));
  }
  // Whether a crash may still bring back what the name meant before.
  [[nodiscard]] bool unsettled(const std::string& name) const {
    const auto entry = names.find(name);
    return entry != names.end() && entry->second.size() > 1;
  }
  void settle_names() {
    for (auto entry = names.begin(); entry != names.end();) {
      Meanings& meanings = entry->second;
      meanings.erase(meanings.begin(), meanings.end() - 1);
      entry = meanings.back() ? std::next(entry) : names.erase(entry);
    }
  }
};

// The parts of a write that lie in different sectors: what a power loss can keep or drop one by one.
std::vector<Change> sectors_of(const Change& write) {
  std::vector<Change> parts;
  for (std::uint64_t at = 0; at < write.data.size();) {
    const std::uint64_t in_sector = (write.offset + at) % kSectorBytes;
    const std::uint64_t some = std::min<std::uint64_t>(write.data.size() - at, kSectorBytes - in_sector);
    parts.push_back({Change::Kind::kWrite, write.offset + at, some, to_bytes(ByteView(write.data).subspan(at, some))});
    at += some;
  }
  return parts;
}

// `durable` plus what a power loss lets through of `unsynced`.
void settle_by_chance(Content& durable, const std::vector<Change>& unsynced, Random& random) {
  // One in four keeps all and one in four nothing, so that these frequent cases come up with many changes too.
  const std::uint64_t luck = random.below(4);
  for (const Change& change : unsynced) {
    const std::uint64_t fate = luck == 0 ? 0 : luck == 1 ? 1 : random.below(3);
    if (fate == 0 || (fate == 2 && change.kind != Change::Kind::kWrite && random.below(2) == 0)) {
      durable.apply(change);
    } else if (fate == 2 && change.kind == Change::Kind::kWrite) {
      for (const Change& sector : sectors_of(change)) {
        if (random.below(2) == 0) durable.apply(sector);
      }
    }
  }
}

std::shared_ptr<Node> after_power_loss(const Node& node, Random& random) {
  auto left = std::make_shared<Node>(node.folder);
  left->durable = node.durable;
  settle_by_chance(left->durable, node.unsynced, random);
  left->current = left->durable;
  for (const auto& [name, meanings] : node.names) {
    const std::shared_ptr<Node>& meaning = meanings[random.below(meanings.size())];
    if (meaning) left->names[name] = {after_power_loss(*meaning, random)};
  }
  return left;
}

std::uint64_t allocated_below(const Node& node) {
  std::uint64_t sum = node.current.allocated();
  for (const auto& [name, meanings] : node.names) {
    if (meanings.back()) sum += allocated_below(*meanings.back());
  }
  return sum;
}

std::pair<std::string, std::string> split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

FilesInUse::Identity identity_of(const Node* node) { return {0, reinterpret_cast<std::uintptr_t>(node)}; }

bool counts(const Fault& fault, DiskOp op, const std::string& path) {
  if (fault.action == FaultAction::kLie && op != DiskOp::kWrite && op != DiskOp::kSync) return false;
  if (fault.action == FaultAction::kFlip && op != DiskOp::kRead) return false;
  if (!fault.ops.empty() && std::find(fault.ops.begin(), fault.ops.end(), op) == fault.ops.end()) return false;
  return path.starts_with(fault.path_prefix);
}

}  // namespace

std::vector<DiskOp> changing_ops() {
  return {DiskOp::kCreate,   DiskOp::kWrite,  DiskOp::kSync,   DiskOp::kAllocate,   DiskOp::kPunch,
          DiskOp::kTruncate, DiskOp::kRename, DiskOp::kRemove, DiskOp::kMakeFolder, DiskOp::kSyncFolder};
}

// The drive itself. Members but enter() are called with the mutex held.
struct FaultDisk::State {
  State(std::string root_path, std::uint64_t seed) : root(std::move(root_path)), random(seed) {}

  struct Armed {
    Fault fault;
    std::uint64_t counted = 0;
  };

  std::mutex mutex;
  const std::string root;
  SeededRandom random;
  std::shared_ptr<Node> top = std::make_shared<Node>(true);
  std::vector<Armed> armed;
  std::set<std::pair<std::string, std::uint64_t>> unreadable;  // path and page
  std::array<std::uint64_t, kOps> done{};
  std::uint64_t fired = 0;
  std::uint64_t capacity_bytes = 0;
  std::condition_variable let_go;
  bool hanging = false;
  std::size_t calls_hanging = 0;
  std::uint64_t disarmed = 0;  // times
  bool unlocked = false;
  bool offline = false;
  bool cached = false;

  // Locks, once the drive does not hang.
  std::unique_lock<std::mutex> enter() {
    std::unique_lock lock(mutex);
    wait_until_let_go(lock);
    return lock;
  }
  void wait_until_let_go(std::unique_lock<std::mutex>& lock) {
    ++calls_hanging;
    let_go.wait(lock, [this] { return !hanging; });
    --calls_hanging;
  }

  [[nodiscard]] Status reachable() const {
    if (offline) return fail(Errc::kIo, root + " is offline");
    return {};
  }

  // Counts an operation. Answers the action that strikes it, none, or the error that it must answer.
  Result<std::optional<Fault>> begin(DiskOp op, const std::string& path) {
    CHECK_OK(reachable());
    ++done[static_cast<std::size_t>(op)];
    std::optional<Fault> strike;
    for (Armed& one : armed) {
      if (!counts(one.fault, op, path)) continue;
      ++one.counted;
      const bool hit = one.counted == one.fault.nth || (one.fault.from_then_on && one.counted > one.fault.nth);
      if (hit && !strike) strike = one.fault;
    }
    if (strike) ++fired;
    if (!strike || (strike->action != FaultAction::kHang && strike->action != FaultAction::kHold)) return strike;
    std::unique_lock lock(mutex, std::adopt_lock);
    if (strike->action == FaultAction::kHold) {
      ++calls_hanging;
      let_go.wait(lock, [this, before = disarmed] { return disarmed != before; });
      --calls_hanging;
    } else {
      hanging = true;
      wait_until_let_go(lock);
    }
    static_cast<void>(lock.release());  // the caller's
    CHECK_OK(reachable());
    return std::nullopt;
  }

  static Status struck(const Fault& fault, const std::string& path) {
    return fail(fault.error, path + ": the armed fault struck");
  }

  // Counts an operation that a fault can only fail.
  Status pass(DiskOp op, const std::string& path) {
    TRY(const std::optional<Fault> strike, begin(op, path));
    if (strike) return struck(*strike, path);
    return {};
  }

  Result<std::shared_ptr<Node>> find(const std::string& path) const {
    CHECK_OK(check_path(path));
    return walk(path);
  }

  Result<std::shared_ptr<Node>> walk(const std::string& path) const {
    std::shared_ptr<Node> node = top;
    for (std::size_t at = 0; at < path.size();) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      node = node->folder ? node->find(path.substr(at, end - at)) : nullptr;
      if (!node) return fail(Errc::kNotFound, root + "/" + path + " is not there");
      at = end + 1;
    }
    return node;
  }

  // Of what an engine made by itself, on the host.
  Result<FilesInUse::Identity> identity_at(const std::string& path) const {
    const auto node = walk(path);
    if (node) return identity_of(node->get());
    struct stat is{};
    if (::lstat((root + "/" + path).c_str(), &is) != 0) return fail(node.error());
    return FilesInUse::Identity{is.st_dev, is.st_ino};
  }

  Result<std::shared_ptr<Node>> find_folder(const std::string& path) const {
    TRY(std::shared_ptr<Node> node, find(path));
    if (!node->folder) return fail(Errc::kInvalidArgument, path + " is not a folder");
    return node;
  }

  Result<std::shared_ptr<Node>> find_file(const std::string& path) const {
    TRY(std::shared_ptr<Node> node, find(path));
    if (node->folder) return fail(Errc::kInvalidArgument, path + " is a folder");
    return node;
  }

  Status check_room(const Content& content, const Change& change) const {
    const std::uint64_t growth = content.growth(change);
    if (capacity_bytes == 0 || growth == 0 || allocated_below(*top) + growth <= capacity_bytes) return {};
    return fail(Errc::kNoSpace, root + " has no room for " + std::to_string(growth) + " bytes more");
  }

  Status change(Node& node, DiskOp op, const std::string& path, Change what) {
    TRY(const std::optional<Fault> strike, begin(op, path));
    CHECK_OK(check_room(node.current, what));
    if (!strike) {
      node.change(std::move(what));
      return {};
    }
    if (op != DiskOp::kWrite || strike->action == FaultAction::kFail) return struck(*strike, path);
    return change_partly(node, *strike, path, what);
  }

  Status change_partly(Node& node, const Fault& strike, const std::string& path, const Change& what) {
    const bool lie = strike.action == FaultAction::kLie;
    std::vector<Change> sectors = sectors_of(what);
    const std::uint64_t torn_at = sectors.empty() ? 0 : random.below(sectors.size());
    for (std::uint64_t i = 0; i < sectors.size(); ++i) {
      const bool kept = lie ? i != torn_at && random.below(2) == 0 : i < torn_at;
      if (kept) node.change(std::move(sectors[i]));
    }
    return lie ? Status{} : struck(strike, path);
  }

  Status sync(Node& node, const std::string& path) {
    TRY(const std::optional<Fault> strike, begin(DiskOp::kSync, path));
    if (strike && strike->action == FaultAction::kLie) return {};
    if (strike) {
      settle_by_chance(node.durable, node.unsynced, random);
      node.unsynced.clear();
      return struck(*strike, path);
    }
    for (const Change& each : node.unsynced) node.durable.apply(each);
    node.unsynced.clear();
    return {};
  }

  Result<std::size_t> read(const Node& node, const std::string& path, std::uint64_t offset, MutableByteView out) {
    TRY(const std::optional<Fault> strike, begin(DiskOp::kRead, path));
    if (strike && strike->action != FaultAction::kFlip) return fail(struck(*strike, path).error());
    const auto bad = unreadable.lower_bound({path, offset / kPageBytes});
    if (bad != unreadable.end() && bad->first == path && bad->second * kPageBytes < offset + out.size()) {
      return fail(Errc::kIo, path + ": a bad sector");
    }
    const std::size_t count = node.current.read(offset, out);
    if (strike && count > 0) out[random.below(count)] ^= static_cast<std::uint8_t>(1U << random.below(8));
    return count;
  }

  Result<std::shared_ptr<Node>> create(const std::string& path) {
    const auto [folder, name] = split(path);
    CHECK_OK(pass(DiskOp::kCreate, path));
    TRY(const std::shared_ptr<Node> parent, find_folder(folder));
    if (parent->find(name)) return fail(Errc::kAlreadyExists, path + " is there already");
    auto node = std::make_shared<Node>(false);
    parent->set(name, node);
    return node;
  }

  Status settle_folder(const std::string& path) {
    CHECK_OK(pass(DiskOp::kSyncFolder, path));
    TRY(const std::shared_ptr<Node> node, find_folder(path));
    node->settle_names();
    return {};
  }

  Status replace(const std::string& path, ByteView data) {
    const auto [folder, name] = split(path);
    TRY(const std::shared_ptr<Node> parent, find_folder(folder));
    const std::shared_ptr<Node> old = parent->find(name);
    if (old && old->folder) return fail(Errc::kInvalidArgument, path + " is a folder");
    const std::string temporary = name + std::string(kTemporarySuffix);
    CHECK_OK(pass(DiskOp::kCreate, path));
    auto node = std::make_shared<Node>(false);
    parent->set(temporary, node);
    CHECK_OK(change(*node, DiskOp::kWrite, path, {Change::Kind::kWrite, 0, data.size(), to_bytes(data)}));
    CHECK_OK(sync(*node, path));
    CHECK_OK(pass(DiskOp::kRename, path));
    parent->set(temporary, nullptr);
    parent->set(name, node);
    return settle_folder(folder);
  }

  Status hold_blocks(Node& spare, const std::string& path, std::uint64_t bytes) {
    Change taken{Change::Kind::kReserve, 0, bytes, {}};
    if (spare.current.growth(taken) == 0) return {};
    return change(spare, DiskOp::kAllocate, path, std::move(taken));
  }

  // The spare file beside `path`, made where it is not.
  Result<std::shared_ptr<Node>> spare_of(const std::string& path) {
    const auto [folder, name] = split(path);
    TRY(const std::shared_ptr<Node> parent, find_folder(folder));
    const std::string spare_name = name + std::string(kTemporarySuffix);
    std::shared_ptr<Node> spare = parent->find(spare_name);
    if (spare) return spare;
    CHECK_OK(pass(DiskOp::kCreate, path));
    spare = std::make_shared<Node>(false);
    parent->set(spare_name, spare);
    return spare;
  }

  Status keep_reserve(const std::string& path, std::uint64_t bytes) {
    const auto [folder, name] = split(path);
    TRY(const std::shared_ptr<Node> parent, find_folder(folder));
    const std::string spare_name = name + std::string(kTemporarySuffix);
    const std::shared_ptr<Node> there = parent->find(spare_name);
    if (bytes == 0 && there) parent->set(spare_name, nullptr);
    if (bytes == 0) return {};
    if (there && there->current.growth({Change::Kind::kReserve, 0, bytes, {}}) == 0) return {};
    TRY(const std::shared_ptr<Node> spare, spare_of(path));
    CHECK_OK(hold_blocks(*spare, path, bytes));
    CHECK_OK(sync(*spare, path));
    return settle_folder(folder);
  }

  Status replace_in_reserve(const std::string& path, ByteView data, std::uint64_t reserve_bytes) {
    const auto [folder, name] = split(path);
    TRY(const std::shared_ptr<Node> parent, find_folder(folder));
    const std::string spare_name = name + std::string(kTemporarySuffix);
    if (parent->unsettled(name) || parent->unsettled(spare_name)) CHECK_OK(settle_folder(folder));
    const std::shared_ptr<Node> old = parent->find(name);
    if (old && old->folder) return fail(Errc::kInvalidArgument, path + " is a folder");
    TRY(const std::shared_ptr<Node> spare, spare_of(path));
    const std::uint64_t size = spare->current.size();
    static_cast<void>(hold_blocks(*spare, path, reserve_bytes));
    CHECK_OK(change(*spare, DiskOp::kWrite, path, {Change::Kind::kWrite, 0, data.size(), to_bytes(data)}));
    if (size > data.size()) {
      CHECK_OK(change(*spare, DiskOp::kTruncate, path, {Change::Kind::kTruncate, 0, data.size(), {}}));
      static_cast<void>(hold_blocks(*spare, path, reserve_bytes));
    }
    CHECK_OK(sync(*spare, path));
    CHECK_OK(pass(DiskOp::kRename, path));
    parent->set(spare_name, old);
    parent->set(name, spare);
    CHECK_OK(settle_folder(folder));
    static_cast<void>(keep_reserve(path, reserve_bytes));
    return {};
  }

  Status make_folder(const std::string& path) {
    std::string parent_path;
    std::shared_ptr<Node> node = top;
    for (std::size_t at = 0; at < path.size();) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      const std::string name = path.substr(at, end - at);
      std::shared_ptr<Node> next = node->find(name);
      if (next && !next->folder) return fail(Errc::kAlreadyExists, path.substr(0, end) + " is a file");
      if (!next) {
        CHECK_OK(pass(DiskOp::kMakeFolder, path.substr(0, end)));
        next = std::make_shared<Node>(true);
        node->set(name, next);
      }
      CHECK_OK(settle_folder(parent_path));
      node = std::move(next);
      parent_path = path.substr(0, end);
      at = end + 1;
    }
    return {};
  }
};

class FaultDisk::OpenFile final : public File {
 public:
  // `use`: of one that is writable.
  OpenFile(std::shared_ptr<State> state, std::shared_ptr<Node> node, std::string path, std::shared_ptr<const void> use)
      : state_(std::move(state)), node_(std::move(node)), path_(std::move(path)), use_(std::move(use)) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
    const auto lock = state_->enter();
    return state_->read(*node_, path_, offset, out);
  }

  Result<std::size_t> read_at_nowait(std::uint64_t offset, MutableByteView out) override {
    const std::lock_guard lock(state_->mutex);
    if (!state_->cached) return fail(Errc::kUnavailable, path_ + " is not in memory");
    return state_->read(*node_, path_, offset, out);
  }

  Status write_at(std::uint64_t offset, ByteView data) override {
    return change(DiskOp::kWrite, {Change::Kind::kWrite, offset, data.size(), to_bytes(data)});
  }

  Status write_at(std::uint64_t offset, const std::vector<ByteView>& pieces) override {
    Bytes data;
    for (const ByteView piece : pieces) data.insert(data.end(), piece.begin(), piece.end());
    const std::uint64_t length = data.size();
    return change(DiskOp::kWrite, {Change::Kind::kWrite, offset, length, std::move(data)});
  }

  Status sync() override {
    const auto lock = state_->enter();
    return state_->sync(*node_, path_);
  }

  Status allocate(std::uint64_t offset, std::uint64_t length) override {
    return change(DiskOp::kAllocate, {Change::Kind::kAllocate, offset, length, {}});
  }

  Status punch(std::uint64_t offset, std::uint64_t length) override {
    return change(DiskOp::kPunch, {Change::Kind::kPunch, offset, length, {}});
  }

  Status truncate(std::uint64_t size) override {
    return change(DiskOp::kTruncate, {Change::Kind::kTruncate, 0, size, {}});
  }

  Result<std::uint64_t> size() override {
    const auto lock = state_->enter();
    CHECK_OK(state_->reachable());
    return node_->current.size();
  }

  Result<std::uint64_t> allocated() override {
    const auto lock = state_->enter();
    CHECK_OK(state_->reachable());
    return node_->current.allocated();
  }

 private:
  Status change(DiskOp op, Change what) {
    if (use_ == nullptr) return fail(Errc::kInvalidArgument, path_ + " was opened for reading only");
    const auto lock = state_->enter();
    return state_->change(*node_, op, path_, std::move(what));
  }

  const std::shared_ptr<State> state_;
  const std::shared_ptr<Node> node_;
  const std::string path_;
  const std::shared_ptr<const void> use_;
};

FaultDisk::FaultDisk(std::shared_ptr<State> state)
    : state_(std::move(state)), in_use_(std::make_shared<FilesInUse>()) {}
FaultDisk::~FaultDisk() = default;

std::unique_ptr<FaultDisk> FaultDisk::make(std::string root, std::uint64_t seed) {
  return std::unique_ptr<FaultDisk>(new FaultDisk(std::make_shared<State>(std::move(root), seed)));
}

std::unique_ptr<FaultDisk> FaultDisk::share() const { return std::unique_ptr<FaultDisk>(new FaultDisk(state_)); }

void FaultDisk::unlock() {
  const auto lock = state_->enter();
  state_->unlocked = true;
}

bool FaultDisk::unlocked() const {
  const std::lock_guard lock(state_->mutex);
  return state_->unlocked;
}

std::size_t FaultDisk::handles() const { return static_cast<std::size_t>(state_.use_count()) - 1; }

std::unique_ptr<FaultDisk> FaultDisk::crash(std::uint64_t seed) const {
  const std::lock_guard lock(state_->mutex);
  auto left = std::make_shared<State>(state_->root, seed);
  left->top = after_power_loss(*state_->top, left->random);
  left->capacity_bytes = state_->capacity_bytes;
  left->cached = state_->cached;
  return std::unique_ptr<FaultDisk>(new FaultDisk(std::move(left)));
}

void FaultDisk::arm(Fault fault) {
  CHECK(fault.nth > 0, "operations are counted from 1");
  const std::lock_guard lock(state_->mutex);
  state_->armed.push_back({std::move(fault)});
}

void FaultDisk::disarm() {
  const std::lock_guard lock(state_->mutex);
  state_->armed.clear();
  ++state_->disarmed;
  state_->let_go.notify_all();
  state_->unreadable.clear();
}

void FaultDisk::set_unreadable(const std::string& path, std::uint64_t offset) {
  const std::lock_guard lock(state_->mutex);
  state_->unreadable.insert({path, offset / kPageBytes});
}

std::uint64_t FaultDisk::fired() const {
  const std::lock_guard lock(state_->mutex);
  return state_->fired;
}

std::uint64_t FaultDisk::operations() const {
  const std::lock_guard lock(state_->mutex);
  std::uint64_t sum = 0;
  for (const std::uint64_t count : state_->done) sum += count;
  return sum;
}

std::uint64_t FaultDisk::operations(DiskOp op) const {
  const std::lock_guard lock(state_->mutex);
  return state_->done[static_cast<std::size_t>(op)];
}

void FaultDisk::reset_counts() {
  const std::lock_guard lock(state_->mutex);
  state_->done.fill(0);
  state_->fired = 0;
}

void FaultDisk::set_offline(bool offline) {
  const std::lock_guard lock(state_->mutex);
  state_->offline = offline;
}

void FaultDisk::set_hanging(bool hanging) {
  const std::lock_guard lock(state_->mutex);
  state_->hanging = hanging;
  state_->let_go.notify_all();
}

std::size_t FaultDisk::hanging() const {
  const std::lock_guard lock(state_->mutex);
  return state_->calls_hanging;
}

void FaultDisk::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->capacity_bytes = bytes;
}

void FaultDisk::set_cached(bool cached) {
  const std::lock_guard lock(state_->mutex);
  state_->cached = cached;
}

Status FaultDisk::corrupt(const std::string& path, std::uint64_t offset, unsigned bit) {
  const std::lock_guard lock(state_->mutex);
  TRY(const std::shared_ptr<Node> node, state_->find_file(path));
  if (offset >= node->current.size()) return fail(Errc::kInvalidArgument, path + " ends before that offset");
  node->current.flip(offset, bit);
  // What is not synced yet is not on the drive, so it is only the cached copy that can be flipped.
  if (offset < node->durable.size()) node->durable.flip(offset, bit);
  return {};
}

Result<std::unique_ptr<File>> FaultDisk::open(const std::string& path, OpenMode mode) {
  CHECK_OK(check_path(path));
  if (path.empty()) return fail(Errc::kInvalidArgument, "the root is a folder");
  const auto lock = state_->enter();
  if (mode == OpenMode::kCreate) {
    TRY(std::shared_ptr<Node> made, state_->create(path));
    auto use = in_use_->add(path, identity_of(made.get()));
    return std::make_unique<OpenFile>(state_, std::move(made), path, std::move(use));
  }
  CHECK_OK(state_->pass(DiskOp::kOpen, path));
  TRY(std::shared_ptr<Node> node, state_->find_file(path));
  auto use = mode == OpenMode::kRead ? nullptr : in_use_->add(path, identity_of(node.get()));
  return std::make_unique<OpenFile>(state_, std::move(node), path, std::move(use));
}

Status FaultDisk::replace(const std::string& path, ByteView data) {
  CHECK_OK(check_path(path));
  if (path.empty()) return fail(Errc::kInvalidArgument, "the root is a folder");
  const auto lock = state_->enter();
  return state_->replace(path, data);
}

Status FaultDisk::replace_in_reserve(const std::string& path, ByteView data, std::uint64_t reserve_bytes) {
  CHECK_OK(check_path(path));
  if (path.empty()) return fail(Errc::kInvalidArgument, "the root is a folder");
  const auto lock = state_->enter();
  return state_->replace_in_reserve(path, data, reserve_bytes);
}

Status FaultDisk::keep_reserve(const std::string& path, std::uint64_t reserve_bytes) {
  CHECK_OK(check_path(path));
  if (path.empty()) return fail(Errc::kInvalidArgument, "the root is a folder");
  const auto lock = state_->enter();
  CHECK_OK(state_->reachable());
  return state_->keep_reserve(path, reserve_bytes);
}

Result<Bytes> FaultDisk::read_all(const std::string& path, std::size_t limit) {
  const auto lock = state_->enter();
  CHECK_OK(state_->pass(DiskOp::kOpen, path));
  TRY(const std::shared_ptr<Node> node, state_->find_file(path));
  if (node->current.size() > limit) {
    return fail(Errc::kCorrupt, path + " is longer than " + std::to_string(limit) + " bytes");
  }
  Bytes content(node->current.size());
  CHECK_OK(state_->read(*node, path, 0, content));
  return content;
}

Status FaultDisk::remove(const std::string& path) {
  CHECK_OK(check_path(path));
  if (path.empty()) return fail(Errc::kInvalidArgument, "the root cannot be removed");
  const auto lock = state_->enter();
  CHECK_OK(state_->pass(DiskOp::kRemove, path));
  TRY(const std::shared_ptr<Node> node, state_->walk(path));
  for (const auto& [name, meanings] : node->names) {
    if (meanings.back()) return fail(Errc::kConflict, path + " is not empty");
  }
  const auto [folder, name] = split(path);
  TRY(const std::shared_ptr<Node> parent, state_->walk(folder));
  static_cast<void>(in_use_->give_up(path));
  parent->set(name, nullptr);
  return {};
}

Result<std::vector<std::string>> FaultDisk::list(const std::string& folder) {
  const auto lock = state_->enter();
  CHECK_OK(state_->pass(DiskOp::kList, folder));
  TRY(const std::shared_ptr<Node> node, state_->find_folder(folder));
  std::vector<std::string> names;
  for (const auto& [name, meanings] : node->names) {
    if (meanings.back() && !name.ends_with(kTemporarySuffix)) names.push_back(name);
  }
  return names;
}

Status FaultDisk::make_folder(const std::string& path) {
  CHECK_OK(check_path(path));
  const auto lock = state_->enter();
  CHECK_OK(state_->reachable());
  return state_->make_folder(path);
}

Status FaultDisk::sync_folder(const std::string& folder) {
  CHECK_OK(check_path(folder));
  const auto lock = state_->enter();
  return state_->settle_folder(folder);
}

Result<Space> FaultDisk::space() {
  const auto lock = state_->enter();
  CHECK_OK(state_->reachable());
  const std::uint64_t total = state_->capacity_bytes == 0 ? kUnlimitedBytes : state_->capacity_bytes;
  const std::uint64_t used = allocated_below(*state_->top);
  return Space{total, total - std::min(total, used)};
}

Status FaultDisk::probe() {
  const auto lock = state_->enter();
  CHECK_OK(state_->reachable());
  for (const auto& use : in_use_->all()) {
    const auto now = state_->identity_at(use->path);
    const bool there = now && *now == use->identity;
    if (!there && use->goes_on()) return fail(Errc::kIo, state_->root + ": " + use->path + " is gone");
  }
  return {};
}

Result<std::shared_ptr<const void>> FaultDisk::watch(const std::string& path) {
  CHECK_OK(check_path(path));
  const auto lock = state_->enter();
  CHECK_OK(state_->reachable());
  TRY(const FilesInUse::Identity identity, state_->identity_at(path));
  return in_use_->add(path, identity);
}

std::string FaultDisk::root() const { return state_->root; }

}  // namespace andromede::io
