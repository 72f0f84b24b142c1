/**
 * The feature sets of a device and how they change: registration, the user's wishes, the driver's own rules, the
 * dependency rules, and devices above and below.
 * @see net/core/dev.c register_netdevice(), __netdev_update_features() (Linux 6.18)
 */
import {
  type DroppedFeatures,
  type Features,
  NETIF_F,
  NETIF_F_ALL_FOR_ALL,
  NETIF_F_ALL_TSO,
  NETIF_F_CSUM_MASK,
  NETIF_F_NEVER_CHANGE,
  NETIF_F_ONE_FOR_ALL,
  NETIF_F_SOFT_FEATURES,
  NETIF_F_SOFT_FEATURES_OFF,
  NETIF_F_UPPER_DISABLES,
  netdevFixFeatures,
} from "./features.ts";

/** The sets of one device. */
export interface FeatureSets {
  /** On now. */
  features: Features;
  /** What the user may toggle. */
  hwFeatures: Features;
  /** What the user asked for, among those. */
  wantedFeatures: Features;
  /** Valid for packets with a VLAN tag. */
  vlanFeatures: Features;
  /** Valid when skb.encapsulation is set. */
  hwEncFeatures: Features;
  /** Valid for MPLS. */
  mplsFeatures: Features;
  /** GSO features that need GSO_PARTIAL. */
  gsoPartialFeatures: Features;
  /** GSO features withheld when the IPv4 ID must count up. */
  mangleidFeatures: Features;
}

/** What a driver brings to registration, besides its sets. */
export interface NetdevOptions {
  readonly loopback?: boolean;
  /** It is told the ports of UDP tunnels. */
  readonly udpTunnelPorts?: boolean;
  /** ndo_fix_features: what of these features it can do at the moment. */
  readonly fixFeatures?: (features: Features) => Features;
  /** ndo_set_features: program the hardware. @returns 0, a negative errno, or 1: it has set `features` itself */
  readonly setFeatures?: (features: Features) => number;
}

/** What came of a wish. */
export interface FeatureChange {
  /** Features asked for whose state is not as asked. */
  readonly refused: Features;
  /** Features that changed, asked for or not. */
  readonly changed: Features;
  /** Rules that took something away in the last round. */
  readonly dropped: readonly DroppedFeatures[];
}

const with_ = (set: Features, condition: Features, more: Features): Features =>
  (set & condition) !== 0n ? set | more : set;

/** The features of one net device. */
export class NetdevFeatures implements FeatureSets {
  features: Features;
  hwFeatures: Features;
  wantedFeatures: Features;
  vlanFeatures: Features;
  hwEncFeatures: Features;
  mplsFeatures: Features;
  gsoPartialFeatures: Features;
  mangleidFeatures: Features;
  /** Devices on top of this one, and below it. */
  readonly uppers: Set<NetdevFeatures> = new Set();
  readonly lowers: Set<NetdevFeatures> = new Set();
  readonly #options: NetdevOptions;
  #dropped: DroppedFeatures[] = [];

  private constructor(sets: Partial<FeatureSets>, options: NetdevOptions) {
    this.features = sets.features ?? 0n;
    this.hwFeatures = sets.hwFeatures ?? 0n;
    this.wantedFeatures = sets.wantedFeatures ?? 0n;
    this.vlanFeatures = sets.vlanFeatures ?? 0n;
    this.hwEncFeatures = sets.hwEncFeatures ?? 0n;
    this.mplsFeatures = sets.mplsFeatures ?? 0n;
    this.gsoPartialFeatures = sets.gsoPartialFeatures ?? 0n;
    this.mangleidFeatures = sets.mangleidFeatures ?? 0n;
    this.#options = options;
  }

  /** A device as it is, with sets read from somewhere. */
  static adopt(sets: Partial<FeatureSets>, options: NetdevOptions = {}): NetdevFeatures {
    return new NetdevFeatures(sets, options);
  }

  /**
   * Register a device: software's features come to what its driver set, and the rules are applied for the first time.
   * @see net/core/dev.c register_netdevice()
   */
  static register(sets: Partial<FeatureSets>, options: NetdevOptions = {}): NetdevFeatures {
    const dev = new NetdevFeatures(sets, options);
    const ports = options.udpTunnelPorts === true ? NETIF_F.RX_UDP_TUNNEL_PORT : 0n;
    dev.hwFeatures |= NETIF_F_SOFT_FEATURES | NETIF_F_SOFT_FEATURES_OFF | ports;
    dev.features |= NETIF_F_SOFT_FEATURES | ports;
    dev.wantedFeatures = dev.features & dev.hwFeatures;
    if (options.loopback !== true) dev.hwFeatures |= NETIF_F.NOCACHE_COPY;
    const { TSO, TSO_MANGLEID } = NETIF_F;
    dev.hwFeatures = with_(dev.hwFeatures, TSO, TSO_MANGLEID);
    dev.vlanFeatures = with_(dev.vlanFeatures, TSO, TSO_MANGLEID) | NETIF_F.HIGHDMA;
    dev.mplsFeatures = with_(dev.mplsFeatures, TSO, TSO_MANGLEID) | NETIF_F.SG;
    dev.hwEncFeatures = with_(dev.hwEncFeatures, TSO, TSO_MANGLEID) | NETIF_F.SG | NETIF_F.GSO_PARTIAL;
    dev.mangleidFeatures |= TSO_MANGLEID;
    dev.update();
    return dev;
  }

  /** Put this device on top of another. */
  attachLower(lower: NetdevFeatures): void {
    this.lowers.add(lower);
    lower.uppers.add(this);
  }

  /**
   * Compute `features` anew.
   * @returns whether they changed; also true when the driver refused (a spurious notice is better than none)
   * @see net/core/dev.c __netdev_update_features()
   */
  update(): boolean {
    const { fixFeatures, setFeatures } = this.#options;
    let f = (this.features & ~this.hwFeatures) | this.wantedFeatures;
    if (fixFeatures !== undefined) f = fixFeatures(f);
    this.#dropped = [];
    f = netdevFixFeatures(f, this.gsoPartialFeatures, (d) => this.#dropped.push(d));
    for (const upper of this.uppers) f &= ~(NETIF_F_UPPER_DISABLES & ~upper.wantedFeatures);
    let result = -1;
    if (f !== this.features) {
      result = setFeatures?.(f) ?? 0;
      // the old set stays
      if (result < 0) return true;
    }
    for (const lower of this.lowers) lower.#follow(f);
    if (result === 0) this.features = f;
    return result >= 0;
  }

  /** What is off above is turned off here. @see net/core/dev.c netdev_sync_lower_features() */
  #follow(upper: Features): void {
    const off = NETIF_F_UPPER_DISABLES & ~upper & this.features;
    if (off === 0n) return;
    this.wantedFeatures &= ~off;
    this.update();
  }

  /**
   * The user turns features on and off; what depends on them follows, and comes back with them.
   * @param mask - features asked for; @param value - those of them that shall be on
   * @returns null: the mask names a feature that nobody may change (-EINVAL)
   * @see net/ethtool/features.c ethnl_set_features()
   */
  set(mask: Features, value: Features): FeatureChange | null {
    if ((mask & NETIF_F_NEVER_CHANGE) !== 0n) return null;
    const before = this.features;
    const asked = (value & mask) | (this.wantedFeatures & ~mask);
    if (asked !== this.wantedFeatures) {
      this.wantedFeatures = (this.wantedFeatures & ~this.hwFeatures) | (asked & this.hwFeatures);
      this.update();
    }
    return {
      refused: (asked ^ this.features) & mask,
      changed: before ^ this.features,
      dropped: this.#dropped,
    };
  }
}

/**
 * Features of a device made of several: `all` so far, and one more of them.
 * @param mask - what the device may have
 * @see net/core/dev.c netdev_increment_features()
 */
export function netdevIncrementFeatures(all: Features, one: Features, mask: Features): Features {
  let allowed = mask | NETIF_F.VLAN_CHALLENGED;
  if ((mask & NETIF_F.HW_CSUM) !== 0n) allowed |= NETIF_F_CSUM_MASK;
  let f = all | (one & (NETIF_F_ONE_FOR_ALL | NETIF_F_CSUM_MASK) & allowed);
  f &= one | ~NETIF_F_ALL_FOR_ALL;
  return (f & NETIF_F.HW_CSUM) !== 0n ? f & ~(NETIF_F.IP_CSUM | NETIF_F.IPV6_CSUM) : f;
}

/** The same with TCP segmentation in software, which a device made of others can always have. */
export function netdevAddTsoFeatures(features: Features, mask: Features): Features {
  return netdevIncrementFeatures(features, NETIF_F_ALL_TSO, mask);
}

/**
 * What a bridge has of `features`: by its ports; one without ports keeps them.
 * @see net/bridge/br_if.c br_features_recompute()
 */
export function bridgeFeatures(features: Features, ports: readonly Features[]): Features {
  if (ports.length === 0) return features;
  let f = features & ~NETIF_F_ONE_FOR_ALL;
  for (const port of ports) f = netdevIncrementFeatures(f, port, features);
  return netdevAddTsoFeatures(f, features);
}
