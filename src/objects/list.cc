// ListObjects: one walk over a bucket's records in key order, which jumps over what a common prefix stands for. A
// page's cost grows with the page, not with the bucket.
#include <algorithm>

#include "objects/layout.h"
#include "objects/prefix_walk.h"
#include "objects/service_impl.h"

namespace andromede::objects {

Task<Result<ListPage>> ServiceImpl::list(const identity::Context& context, ListRequest request) {
  CO_TRY(const BucketRecord bucket, co_await find_live_bucket(context, request.bucket));
  ListPage page;
  CO_TRY(page.owner, owner_of(bucket));
  const std::size_t max = std::min(request.max, kMaxListKeys);
  if (max == 0) co_return page;

  const meta::Patience patience = turn_patience(context.stop);
  CO_TRY(const AccountTurns::Turn turn, co_await listings_.take(context.principal.account.id, patience));
  PrefixWalk walk(walk_of(bucket, layout::objects(bucket.id), request.prefix, patience), layout::objects(bucket.id),
                  request.prefix, request.delimiter);
  CO_TRY(bool more, co_await walk.start_behind(request.after));
  Stretch stretch;
  while (more) {
    co_await stretch.pause();
    if (page.entries.size() + page.common_prefixes.size() == max) {
      page.truncated = true;
      break;
    }
    if (const auto prefix = walk.common_prefix_of(walk.key())) {
      page.next = *prefix;
      page.common_prefixes.emplace_back(*prefix);
      CO_TRY(more, co_await walk.skip(*prefix));
      continue;
    }
    CO_TRY(const ObjectHead head, decode_object_head(as_bytes(walk.value())));
    ListEntry entry;
    entry.key = std::string(walk.key());
    entry.size_bytes = head.size_bytes;
    entry.etag = etag_text(head);
    entry.modified = head.modified;
    entry.storage_class = head.storage_class;
    entry.checksum_kind = head.checksum_kind;
    entry.checksum_type = head.checksum_type;
    page.entries.push_back(std::move(entry));
    if (const auto at_once = walk.try_next()) {
      CO_TRY(more, *at_once);
    } else {
      CO_TRY(more, co_await walk.next());
    }
  }
  if (!page.entries.empty() && page.entries.back().key > page.next) page.next = page.entries.back().key;
  if (!page.truncated) page.next.clear();
  co_return page;
}

}  // namespace andromede::objects
