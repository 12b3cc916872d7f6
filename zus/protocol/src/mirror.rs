// SPDX-License-Identifier: MIT
//! The two macros that define what is mirrored, so that nothing can be defined and escape the probe.

/// Structs of the wire. `Name = "c_name", since MINOR`: the first minor version whose header has it.
macro_rules! mirror {
    ($(
        $(#[$doc:meta])*
        $name:ident = $c:literal, since $since:literal {
            $( $(#[$field_doc:meta])* $field:ident: $type:ty, )*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        #[repr(C)]
        pub struct $name {
            $( $(#[$field_doc])* pub $field: $type, )*
        }

        impl $name {
            /// The struct, as the probe sees it.
            pub(crate) const LAYOUT: $crate::layout::Struct = $crate::layout::Struct {
                name: $c,
                since: $since,
                size: size_of::<$name>(),
                fields: &[$( $crate::layout::Field {
                    name: stringify!($field),
                    offset: std::mem::offset_of!($name, $field),
                    size: size_of::<$type>(),
                }, )*],
            };
        }
    )*};
}

/// Constants of one kind, in a module of their own: `PREFIX` and the name make the C name.
macro_rules! constants {
    (
        $(#[$doc:meta])*
        $module:ident: $type:ty = $prefix:literal {
            $( $(#[$const_doc:meta])* $name:ident = $value:expr, )*
        }
    ) => {
        $(#[$doc])*
        pub mod $module {
            $( $(#[$const_doc])* pub const $name: $type = $value; )*

            /// The constants, as the probe sees them.
            pub(crate) const LAYOUT: &[$crate::layout::Constant] = &[$(
                $crate::layout::Constant { name: concat!($prefix, stringify!($name)), value: $value as u64 },
            )*];
        }
    };
}
