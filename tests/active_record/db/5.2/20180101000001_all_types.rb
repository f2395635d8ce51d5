class AllTypes < ActiveRecord::Migration[5.2]
  def change
    enable_extension "hstore"
    enable_extension "citext"
    enable_extension "ltree"
    create_table :all_types, comment: "one of each" do |t|
      t.string :a_string, limit: 10, default: "it's \\ odd", collation: "C"
      t.text :a_text, default: :word, limit: 500
      t.integer :an_integer, limit: 2, default: 1.9
      t.integer :four, limit: 4
      t.integer :eight, limit: 8
      t.bigint :a_bigint, default: -1
      t.float :a_float, default: 1
      t.float :small_float, limit: 24
      t.decimal :a_decimal, precision: 10, scale: 2, default: 0
      t.numeric :a_numeric
      t.boolean :a_boolean, default: false, null: false
      t.boolean :other_boolean, default: "0"
      t.date :a_date, default: "2020-02-29"
      t.datetime :a_datetime, default: -> { "CURRENT_TIMESTAMP" }
      t.datetime :fixed, default: "2001-02-03 04:05:06"
      t.datetime :not_fixed, default: "now()"
      t.timestamp :a_timestamp, precision: 6
      t.column :a_zone, "timestamp with time zone", default: -> { "now()" }
      t.time :a_time, precision: 2
      t.binary :a_binary, limit: 100, default: "ab"
      t.json :a_json, default: { a: [1, "b", nil, true, 1.5] }
      t.jsonb :a_jsonb, default: {}, null: false
      t.jsonb :list_jsonb, default: []
      t.jsonb :text_jsonb, default: "{}"
      t.hstore :a_hstore, default: { "a" => "b c" }
      t.uuid :a_uuid, default: -> { "gen_random_uuid()" }
      t.uuid :b_uuid, default: "gen_random_uuid()"
      t.inet :an_inet, default: "10.0.0.1"
      t.cidr :a_cidr
      t.macaddr :a_macaddr
      t.xml :an_xml
      t.tsvector :a_tsvector
      t.bit :a_bit, limit: 4, default: "0101"
      t.bit_varying :a_varbit, limit: 4
      t.citext :a_citext
      t.ltree :an_ltree
      t.int4range :an_int4range
      t.int8range :an_int8range
      t.numrange :a_numrange
      t.tsrange :a_tsrange
      t.tstzrange :a_tstzrange
      t.daterange :a_daterange
      t.point :a_point
      t.line :a_line
      t.lseg :an_lseg
      t.box :a_box
      t.path :a_path
      t.polygon :a_polygon
      t.circle :a_circle
      t.money :a_money, default: 1
      t.interval :an_interval, default: "1 day"
      t.oid :an_oid
      t.serial :a_serial
      t.bigserial :a_bigserial
      t.string :strings, array: true, default: []
      t.string :words, array: true, default: ["a", "b c", "d,e", "f\"g", "null", ""], null: false
      t.integer :integers, array: true, default: [1, 2]
      t.text :nulls, array: true, default: "{}"
      t.string :nothing, default: nil
      t.string :required, default: nil, null: false
      t.string :number_text, default: 12, comment: "it's a number"
      t.column :varchars, "varchar(12)[]"
      t.column "Odd Name", :string
      t.column :order, :integer
    end
  end
end
