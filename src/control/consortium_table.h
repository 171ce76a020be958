// How the consortium's record is stored: docs/formats/consortium.md. One row, without a name.
#pragma once

#include "meta/table.h"
#include "sovereignty/consortium_record.h"

namespace andromede::control {

struct ConsortiumKind {
  using Record = sovereignty::ConsortiumRecord;
  static constexpr meta::RecordMark kMark{'M', 2, "consortium"};
  static constexpr std::string_view kPrefix = "consortium";
  static void fields(auto& fields, auto& record) {
    fields.u64(record.version);
    fields.time(record.applied);
    fields.array(record.digest);
    fields.array(record.previous);
    fields.text(record.text, sovereignty::kMaxConsortiumBytes);
  }
};
using ConsortiumTable = meta::Table<ConsortiumKind>;

}  // namespace andromede::control
