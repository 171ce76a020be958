// blob::Store on volumes: what is written goes where a Placer says by its placement class, and where it lies is its
// locator.
#pragma once

#include <memory>

#include "blob/shards/placer.h"
#include "blob/store.h"
#include "blob/volumes/volume_store.h"

namespace andromede::blob {

// Both are borrowed and outlive the store.
std::unique_ptr<Store> make_placed_store(VolumeStore& volumes, Placer& placer);

}  // namespace andromede::blob
