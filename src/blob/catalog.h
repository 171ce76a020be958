// blob::Catalog: the records that name blobs, as who looks after the blobs sees them: to find what is to be moved or
// repaired, to say where it lies now, and to tell what nothing names any more.
//
// Methods block and are called from maintenance threads only. Thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "blob/store.h"

namespace andromede::blob {

// `Ref` is what a record says of its blob: a BlobRef, or what an engine reads in one.
template <typename Ref>
class CatalogOf {
 public:
  virtual ~CatalogOf() = default;
  // Up to `limit` refs with id > `after` (none: from the first), in id order; fewer: the end is reached. Records that
  // cannot be read are left out.
  virtual Result<std::vector<Ref>> list(BlobId after, std::size_t limit) = 0;
  // nullopt: no record names that blob. kCorrupt: its record cannot be read.
  virtual Result<std::optional<Ref>> find(BlobId id) = 0;
  // The same asked of every copy of the metadata, before what they may name is erased: one copy may lie. An error when
  // one cannot answer. A catalog without copies has nothing to add.
  struct Page {
    std::vector<Ref> refs;           // in id order, each different one that a copy has
    std::vector<BlobId> unreadable;  // of these a copy has a record that cannot be read
    std::optional<BlobId> next;      // where to go on behind; unset: the end is reached
  };
  // The limit is each copy's.
  virtual Result<Page> list_everywhere(BlobId after, std::size_t limit) {
    Page page;
    TRY(page.refs, list(after, limit));
    if (page.refs.size() == limit) page.next = page.refs.back().id;
    return page;
  }
  struct Everywhere {
    std::vector<Ref> refs;                   // each different one
    bool agree = true;                       // all copies say the same, and it can be read
    std::vector<std::string> unreadable_on;  // the copies whose record cannot be read, for people
  };
  virtual Result<Everywhere> find_everywhere(BlobId id) {
    TRY(auto ref, find(id));
    Everywhere found;
    if (ref) found.refs.push_back(std::move(*ref));
    return found;
  }
  // Replaces `before` by `after` if the record is still `before`; kConflict when not.
  virtual Status replace(const Ref& before, const Ref& after) = 0;
};

// Implemented on the metadata by objects/, for whichever engine.
using Catalog = CatalogOf<BlobRef>;

}  // namespace andromede::blob
