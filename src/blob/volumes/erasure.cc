#include "blob/volumes/erasure.h"

#include <isa-l/erasure_code.h>

#include "base/check.h"

namespace andromede::blob {
namespace {

constexpr std::size_t kTableBytes = 32;  // for each coefficient, as ec_init_tables lays them out

// ISA-L takes pointers to mutable blocks everywhere, and writes to destinations only.
std::uint8_t* unconst(const std::uint8_t* bytes) { return const_cast<std::uint8_t*>(bytes); }

}  // namespace

ErasureCode::ErasureCode(Code code) : code_(code) {
  const int k = code.data;
  const int m = code.parity;
  if (k == 1 || m == 0) return;
  matrix_.resize(static_cast<std::size_t>(k) * code.total());
  gf_gen_cauchy1_matrix(matrix_.data(), k + m, k);
  tables_.resize(kTableBytes * code.data * code.parity);
  ec_init_tables(k, m, matrix_.data() + k * k, tables_.data());
}

void ErasureCode::encode(std::size_t block_bytes, const std::vector<const std::uint8_t*>& data,
                         const std::vector<std::uint8_t*>& parity) const {
  CHECK(data.size() == code_.data && parity.size() == code_.parity, "one pointer a block");
  if (parity.empty()) return;
  if (code_.data == 1) {
    for (std::uint8_t* const copy : parity) std::memcpy(copy, data[0], block_bytes);
    return;
  }
  std::vector<std::uint8_t*> sources;
  for (const auto* block : data) sources.push_back(unconst(block));
  std::vector<std::uint8_t*> targets = parity;
  ec_encode_data(static_cast<int>(block_bytes), code_.data, code_.parity, unconst(tables_.data()), sources.data(),
                 targets.data());
}

void ErasureCode::rebuild(std::size_t block_bytes, const std::vector<const std::uint8_t*>& blocks, unsigned want,
                          std::uint8_t* out) const {
  const std::size_t k = code_.data;
  CHECK(blocks.size() == code_.total() && want < code_.total(), "one pointer a shard");
  std::vector<std::uint8_t*> sources;
  Bytes rows;  // the generator's rows of the sources
  for (unsigned shard = 0; shard < code_.total() && sources.size() < k; ++shard) {
    if (blocks[shard] == nullptr) continue;
    sources.push_back(unconst(blocks[shard]));
    if (k > 1) rows.insert(rows.end(), &matrix_[shard * k], &matrix_[shard * k] + k);
  }
  CHECK(sources.size() == k, "k blocks rebuild any");
  if (k == 1) {
    std::memcpy(out, sources[0], block_bytes);
    return;
  }
  Bytes inverse(k * k);
  const int singular = gf_invert_matrix(rows.data(), inverse.data(), static_cast<int>(k));
  CHECK(singular == 0, "any k rows of a Cauchy generator are independent");
  // want = its generator row × data, and data = inverse × sources.
  Bytes coefficients(k);
  for (std::size_t column = 0; column < k; ++column) {
    std::uint8_t sum = 0;
    for (std::size_t i = 0; i < k; ++i) sum ^= gf_mul(matrix_[want * k + i], inverse[i * k + column]);
    coefficients[column] = sum;
  }
  Bytes tables(kTableBytes * k);
  ec_init_tables(static_cast<int>(k), 1, coefficients.data(), tables.data());
  ec_encode_data(static_cast<int>(block_bytes), static_cast<int>(k), 1, tables.data(), sources.data(), &out);
}

}  // namespace andromede::blob
