//! Functions compiled once for each width of registers.

/// Compiles a function for registers of 512 and 256 bits beside those that every machine of its kind has, and calls the
/// widest that this one has.
macro_rules! of_any_width {
    ($(#[$doc:meta])* $name:ident = $body:ident($($argument:ident: $type:ty),*)) => {
        $(#[$doc])*
        pub(crate) fn $name($($argument: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,lzcnt")]
                fn of_512($($argument: $type),*) {
                    $body($($argument),*);
                }
                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
                fn of_256($($argument: $type),*) {
                    $body($($argument),*);
                }
                let of_256_bits = is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("bmi2")
                    && is_x86_feature_detected!("lzcnt");
                let of_512_bits = of_256_bits
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl");
                // The machine has what they need: it has just been asked.
                if of_512_bits {
                    return unsafe { of_512($($argument),*) };
                }
                if of_256_bits {
                    return unsafe { of_256($($argument),*) };
                }
            }
            $body($($argument),*);
        }
    };
}
pub(crate) use of_any_width;
