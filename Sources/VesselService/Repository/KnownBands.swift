import Contracts
import Storage

/// What this process knows to be stored in the bands, so that most creates need not touch them: bands only ever rise.
final class KnownBands: Sendable {
    /// About 2 MiB; past it everything is forgotten and learnt again.
    private static let countMax = 65_536

    private let heaviest = Monitor<[CapacityBands.Key: Int32]>([:])

    /// The bands that may be too low for a vessel, the largest first.
    func missing(for vessel: Vessel_Vessel) -> [CapacityBands.Key] {
        heaviest.withLock { heaviest in
            CapacityBands.bands(of: vessel.capacity).filter { heaviest[$0, default: 0] < vessel.maxWeight }
        }
    }

    /// These bands are stored with at least this weight.
    func note(_ bands: [CapacityBands.Key], _ weight: Int32) {
        heaviest.withLock { heaviest in
            if heaviest.count + bands.count > Self.countMax { heaviest.removeAll() }
            for band in bands { heaviest[band] = max(heaviest[band, default: 0], weight) }
        }
    }
}
